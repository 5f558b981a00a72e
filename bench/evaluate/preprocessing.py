"""What a network is shown of a picture: resized, cropped to its centre, normalised, as in timm's evaluation.

A published accuracy belongs to a resolution, a crop and an interpolation; with others it moves by tenths of a
point. The steps and their rounding are those of `timm.data.create_transform(is_training=False)`, down to the bit.
That also means: no turning by EXIF orientation, and full decoding of JPEGs, unlike in `bench.proxies.decoding`.

Without torch up to `normalise`, because the decoding processes import this module.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.errors import ConfigError, nearest
from bench.proxies.decoding import Decoded, Unreadable

if TYPE_CHECKING:
    import torch

Interpolation = Literal["bilinear", "bicubic"]
CropMode = Literal["center", "squash"]
Triple = tuple[float, float, float]

_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How a network wants its pictures.

    Attributes:
        resolution: of what the network sees, in pixels.
        crop: part of the resized picture's side that is kept, above 0 to 1.
        interpolation: of the resizing, which is antialiased.
        mean: of red, green and blue in 0 to 1; subtracted before the values are divided by `std`.
        crop_mode: `center` keeps the aspect ratio and resizes the shorter side, `squash` resizes both.
    """

    resolution: int
    crop: float
    interpolation: Interpolation
    mean: Triple = (0.485, 0.456, 0.406)  # ImageNet's
    std: Triple = (0.229, 0.224, 0.225)
    crop_mode: CropMode = "center"

    def __post_init__(self) -> None:
        if self.resolution < 1 or not 0.0 < self.crop <= 1.0:
            raise ConfigError(
                f"resolution {self.resolution} with crop {self.crop}; at least 1 px and a crop above 0 to 1 are "
                "allowed; correct them"
            )
        for name, value, known in (
            ("interpolation", self.interpolation, get_args(Interpolation)),
            ("crop mode", self.crop_mode, get_args(CropMode)),
        ):
            if value not in known:
                raise ConfigError(f"unknown {name} {value!r}; known: {', '.join(known)}{nearest(str(value), known)}")


_FASTVIT = Preprocessing(resolution=256, crop=0.9, interpolation="bicubic")
_MOBILEONE = Preprocessing(resolution=224, crop=0.9, interpolation="bilinear")
_PLAIN = Preprocessing(resolution=224, crop=0.875, interpolation="bicubic")
_HALF = (0.5, 0.5, 0.5)

# Reference point -> how its published accuracy was measured. FastViT: apple/ml-fastvit models/fastvit.py, default_cfgs
# (SA36 has 0.95 there; timm evaluates the same weights with 0.9). CMT: huawei-noah/Efficient-AI-Backbones
# cmt_pytorch/datasets.py, which resizes to 256/224 of the input size. The others: timm 1.0.31, default_cfgs of
# byobnet.py (mobileone_*.apple_in1k), efficientnet.py (tf_efficientnet_b*.aa_in1k, the paper's weights, and
# tf_efficientnetv2_s.in1k at its test size) and convnext.py (convnext_*.fb_in1k at their training size).
PUBLISHED: dict[str, Preprocessing] = {
    **{f"fastvit_{name}": _FASTVIT for name in ("t8", "t12", "s12", "sa12", "sa24")},
    **{f"fastvit_{name}": replace(_FASTVIT, crop=0.95) for name in ("sa36", "ma36")},
    "mobileone_s0": replace(_MOBILEONE, crop=0.875),
    **{f"mobileone_s{number}": _MOBILEONE for number in range(1, 5)},
    **{
        f"efficientnet_b{number}": Preprocessing(resolution=resolution, crop=crop, interpolation="bicubic")
        for number, (resolution, crop) in enumerate(
            ((224, 0.875), (240, 0.882), (260, 0.89), (300, 0.904), (380, 0.922), (456, 0.934), (528, 0.942))
        )
    },
    "efficientnetv2_s": Preprocessing(resolution=384, crop=1.0, interpolation="bicubic", mean=_HALF, std=_HALF),
    **{f"convnext_{name}": _PLAIN for name in ("t", "s", "b")},
    "cmt_ti": replace(_PLAIN, resolution=160),
    "cmt_xs": replace(_PLAIN, resolution=192),
    "cmt_s": _PLAIN,
    "cmt_b": replace(_PLAIN, resolution=256),
}


def published_preprocessing(model: str) -> Preprocessing:
    """How the published accuracy of a reference point was measured, by its own authors.

    Raises:
        ConfigError: it is none of `PUBLISHED`.
    """
    if model not in PUBLISHED:
        raise ConfigError(
            f"no published preprocessing for {model!r}; known: {', '.join(PUBLISHED)}"
            f"{nearest(model, PUBLISHED) or '; say resolution, crop and interpolation'}"
        )
    return PUBLISHED[model]


def timm_preprocessing(weights: str, *, at_test_size: bool = False) -> Preprocessing:
    """How timm evaluates weights of its own naming, such as `fastvit_sa36.apple_in1k`.

    Args:
        at_test_size: the larger resolution that some weights are tested at.

    Raises:
        ConfigError: timm knows no such weights, or crops in a way that is not known here.
    """
    from timm.data import resolve_data_config  # takes seconds
    from timm.models import get_pretrained_cfg

    try:
        found = get_pretrained_cfg(weights, allow_unregistered=False)
    except RuntimeError as error:
        raise ConfigError(
            f"timm knows no weights {weights!r} ({error}); timm.list_pretrained() has them; correct the name"
        ) from error
    config: dict[str, Any] = resolve_data_config(pretrained_cfg=found.to_dict(), use_test_size=at_test_size)
    return Preprocessing(
        resolution=config["input_size"][-1],
        crop=config["crop_pct"],
        interpolation=config["interpolation"],
        mean=config["mean"],
        std=config["std"],
        crop_mode=config["crop_mode"],
    )


def decode(content: bytes, preprocessing: Preprocessing) -> Decoded:
    """The crop of an encoded picture as uint8 (resolution, resolution, 3), or the reason for none."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            return prepare(image, preprocessing)
    except Exception as error:  # Pillow's decoders raise nearly anything on a broken file
        return Unreadable(f"{type(error).__name__}: {error}"[:200])


def prepare(image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """The crop of a picture: uint8 RGB (resolution, resolution, 3)."""
    rgb, side = image.convert("RGB"), math.floor(preprocessing.resolution / preprocessing.crop)
    size = (side, side) if preprocessing.crop_mode == "squash" else _size(rgb.size, side)
    resized = rgb if rgb.size == size else rgb.resize(size, _RESAMPLING[preprocessing.interpolation])
    # Python's round() takes halves to the even number, here and in torchvision's center_crop.
    left, top = (round((length - preprocessing.resolution) / 2.0) for length in size)
    box = (left, top, left + preprocessing.resolution, top + preprocessing.resolution)
    return np.asarray(resized.crop(box), dtype=np.uint8)


def normalise(images: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """uint8 (n, r, r, 3) to float (n, 3, r, r) in channels_last memory, rounded as torchvision's transforms do."""
    values = images.permute(0, 3, 1, 2).float().div_(255.0)  # NHWC bytes seen as NCHW are channels_last already
    mean, std = (values.new_tensor(triple).reshape(1, 3, 1, 1) for triple in (preprocessing.mean, preprocessing.std))
    return values.sub_(mean).div_(std)


def _size(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """Width and height with the shorter side as given, the longer one cut down to a whole pixel."""
    width, height = size
    if width <= height:
        return shorter, int(shorter * height / width)
    return int(shorter * width / height), shorter
