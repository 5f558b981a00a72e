from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from bench.errors import ConfigError
from bench.evaluate.preprocessing import (
    PUBLISHED,
    Preprocessing,
    decode,
    normalise,
    prepare,
    published_preprocessing,
    timm_preprocessing,
)
from bench.networks.models import TIMM_WEIGHTS
from bench.proxies.decoding import Unreadable

# Reference point -> weights that timm evaluates with the preprocessing of the network's authors.
TIMM_LIKE_AUTHORS = {name: weights for name, weights in TIMM_WEIGHTS.items() if name != "fastvit_sa36"}


def _image(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(size[0]).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def _by_timm(image: Image.Image, preprocessing: Preprocessing) -> torch.Tensor:
    from timm.data import create_transform

    transform = create_transform(
        input_size=(3, preprocessing.resolution, preprocessing.resolution),
        is_training=False,
        interpolation=preprocessing.interpolation,
        mean=preprocessing.mean,
        std=preprocessing.std,
        crop_pct=preprocessing.crop,
        crop_mode=preprocessing.crop_mode,
    )
    result: torch.Tensor = transform(image.convert("RGB"))
    return result


def _by_bench(image: Image.Image, preprocessing: Preprocessing) -> torch.Tensor:
    return normalise(torch.from_numpy(prepare(image, preprocessing)[None].copy()), preprocessing)[0]


@pytest.mark.parametrize("size", [(90, 61), (61, 90), (70, 70), (33, 200), (20, 17), (71, 72)])
@pytest.mark.parametrize("crop", [0.875, 0.9, 0.95, 1.0])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("crop_mode", ["center", "squash"])
def test_pictures_are_those_of_timm_to_the_bit(
    size: tuple[int, int], crop: float, interpolation: str, crop_mode: str
) -> None:
    preprocessing = Preprocessing(
        resolution=63,
        crop=crop,
        interpolation=interpolation,  # type: ignore[arg-type]
        crop_mode=crop_mode,  # type: ignore[arg-type]
    )
    assert torch.equal(_by_bench(_image(size), preprocessing), _by_timm(_image(size), preprocessing))


@pytest.mark.parametrize("model", ["fastvit_t8", "mobileone_s1", "efficientnetv2_s", "cmt_ti", "fastvit_ma36"])
@pytest.mark.parametrize("size", [(500, 375), (331, 480)])
def test_published_preprocessing_gives_the_pictures_of_timm(model: str, size: tuple[int, int]) -> None:
    preprocessing = published_preprocessing(model)
    assert torch.equal(_by_bench(_image(size), preprocessing), _by_timm(_image(size), preprocessing))


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P", "1"])
def test_every_mode_is_read_as_timm_reads_it(mode: str) -> None:
    preprocessing = Preprocessing(resolution=32, crop=0.9, interpolation="bicubic")
    image = _image((50, 40), mode)
    assert torch.equal(_by_bench(image, preprocessing), _by_timm(image, preprocessing))


def test_pictures_are_not_turned() -> None:
    image, exif = _image((40, 30)), Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif)
    preprocessing = Preprocessing(resolution=30, crop=1.0, interpolation="bicubic")
    with Image.open(io.BytesIO(buffer.getvalue())) as plain:
        expected = np.asarray(plain.convert("RGB"))[:, 5:35]
    np.testing.assert_array_equal(decode(buffer.getvalue(), preprocessing), expected)


def test_broken_pictures_are_told_not_raised() -> None:
    found = decode(b"no picture", Preprocessing(resolution=8, crop=1.0, interpolation="bicubic"))
    assert isinstance(found, Unreadable)
    assert "UnidentifiedImageError" in found.reason


def test_a_batch_is_normalised_in_channels_last_memory() -> None:
    images = torch.zeros(2, 5, 5, 3, dtype=torch.uint8)
    found = normalise(images, Preprocessing(resolution=5, crop=1.0, interpolation="bicubic"))
    assert found.shape == (2, 3, 5, 5)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("model", TIMM_LIKE_AUTHORS)
def test_published_preprocessing_is_that_of_timm(model: str) -> None:
    weights = TIMM_LIKE_AUTHORS[model]
    assert published_preprocessing(model) == timm_preprocessing(weights, at_test_size=model == "efficientnetv2_s")


def test_sa36_differs_between_its_authors_and_timm() -> None:
    assert published_preprocessing("fastvit_sa36").crop == 0.95
    assert timm_preprocessing(TIMM_WEIGHTS["fastvit_sa36"]).crop == 0.9


def test_every_reference_point_of_the_issue_has_one() -> None:
    assert set(PUBLISHED) == {*TIMM_WEIGHTS, "cmt_ti", "cmt_xs", "cmt_s", "cmt_b"}


@pytest.mark.parametrize(("model", "shorter_side"), [("cmt_ti", 182), ("cmt_xs", 219), ("cmt_s", 256), ("cmt_b", 292)])
def test_cmt_is_resized_as_its_authors_do(model: str, shorter_side: int) -> None:
    """Their size is int(256 / 224 * resolution)."""
    preprocessing = published_preprocessing(model)
    assert int((256 / 224) * preprocessing.resolution) == shorter_side
    assert int(preprocessing.resolution / preprocessing.crop) == shorter_side


def test_unknown_names_are_errors() -> None:
    with pytest.raises(ConfigError, match=r"no published preprocessing for 'fastvit_t9'; known: .*did you mean"):
        published_preprocessing("fastvit_t9")
    with pytest.raises(ConfigError, match=r"timm knows no weights 'fastvit_t8\.apple' \(Invalid pretrained tag"):
        timm_preprocessing("fastvit_t8.apple")
    with pytest.raises(ConfigError, match="timm knows no weights 'nothing'"):
        timm_preprocessing("nothing")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"crop": 1.1}, r"resolution 8 with crop 1\.1; at least 1 px and a crop above 0 to 1"),
        ({"crop": 0.0}, r"crop 0\.0"),
        ({"resolution": 0}, "resolution 0 "),
        ({"interpolation": "cubic"}, r"unknown interpolation 'cubic'; known: bilinear, bicubic; did you mean"),
        ({"crop_mode": "border"}, "unknown crop mode 'border'; known: center, squash"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Preprocessing(**{"resolution": 8, "crop": 1.0, "interpolation": "bicubic", **wrong})  # type: ignore[arg-type]
