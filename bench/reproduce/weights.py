"""Weights that a user names or that timm's hub has, and what is known of them.

A file holds numbers and names. How pictures were shown to its network, how it was trained and how it pads, it does not
say: for a file that is taken from the publication of the reference point, for weights of timm's hub from timm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.errors import ReproduceError
from bench.evaluate import Preprocessing, published_preprocessing, timm_preprocessing
from bench.evaluate.preprocessing import PUBLISHED, Interpolation
from bench.networks.models import Model
from bench.reproduce.judging import Circumstances
from bench.reproduce.work import Work

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weights:
    """A network with weights.

    Attributes:
        network: in train form.
        source: where they are from, for reports.
        circumstances: what figures depend on.
        note: what has to be known; may be empty.
    """

    network: nn.Module
    source: str
    circumstances: Circumstances
    note: str


def missing_weights(model: Model, work: Work) -> str | None:
    """What the work needs to have weights of the model; `None` where it has all."""
    if work.weights is not None or (work.download and model.timm_weights is not None):
        return None
    if model.timm_weights is None:
        return f"weights (--weights FILE; timm's hub has none of {model.name})"
    return "weights (--weights FILE, or --download)"


def require_weights(model: Model, work: Work) -> None:
    """Refuses a work that has no weights of the model.

    Raises:
        ReproduceError: it names none; the message says where they may be from.
    """
    if missing_weights(model, work) is None:
        return
    if model.timm_weights is None:
        raise ReproduceError(
            f"no weights of {model.name}; they are needed, and timm's hub has none; give --weights FILE"
        )
    raise ReproduceError(f"no weights of {model.name}; they are needed; give --weights FILE, or --download")


def load_weights(
    model: Model, work: Work, *, crop: float | None = None, interpolation: Interpolation | None = None
) -> Weights:
    """The weights that the work names: its file, or those of timm's hub that the model was published with.

    Args:
        crop: instead of the one that belongs to the weights; `interpolation` likewise.

    Raises:
        NetworkError: they cannot be read, are of another network, or the hub is out of reach.
        ConfigError: nobody published how pictures are shown to the model, and it is not said either.
        ReproduceError: the work names no weights.
    """
    from bench.networks import build
    from bench.networks.checkpoints import download_checkpoint, load_published, read_checkpoint

    require_weights(model, work)
    name = None if work.weights is not None else model.timm_weights
    preprocessing = _preprocessing(model, name, crop=crop, interpolation=interpolation)
    network, family = build(model.architecture, resolution=model.resolution).eval(), model.architecture.family
    if work.weights is not None:
        state, source = read_checkpoint(work.weights), str(work.weights)
    else:
        assert name is not None
        state, source = download_checkpoint(name), f"{name} of timm's hub"
    load_published(network, state, family=family, source=source)
    is_tensorflow, note = _as_trained(network, family, name or source)
    return Weights(
        network=network,
        source=source if work.weights is None else work.weights.name,
        circumstances=Circumstances(
            weights=name,
            training=None if name is None else ("distilled" if "_dist_" in name else "plain"),
            is_tensorflow=is_tensorflow,
            preprocessing=preprocessing,
            published=PUBLISHED.get(model.name, preprocessing),
        ),
        note=note,
    )


def _as_trained(network: nn.Module, family: str, name: str) -> tuple[bool, str]:
    """Makes an EfficientNet pad as its weights were trained to; whether that is as TensorFlow does, and a note."""
    if family != "efficientnet":
        return False, ""
    from bench.networks.efficientnet.tensorflow import compute_as_tensorflow, is_from_tensorflow

    if is_from_tensorflow(name.rpartition("/")[2]):
        compute_as_tensorflow(network)
        return True, "computed with TensorFlow's padding and epsilon, as these weights were trained"
    # The hub's are all from TensorFlow (TIMM_WEIGHTS), so that this is a file.
    return False, (
        "computed with PyTorch's padding; weights from TensorFlow give something else so, and the name of their file "
        "has to say what they are (tf_efficientnet_...)"
    )


def _preprocessing(
    model: Model, weights: str | None, *, crop: float | None, interpolation: Interpolation | None
) -> Preprocessing:
    if weights is None and model.name not in PUBLISHED and crop is not None and interpolation is not None:
        return Preprocessing(resolution=model.resolution, crop=crop, interpolation=interpolation)
    base = published_preprocessing(model.name) if weights is None else _of_timm(model, weights)
    return replace(
        base,
        resolution=model.resolution,
        crop=base.crop if crop is None else crop,
        interpolation=base.interpolation if interpolation is None else interpolation,
    )


def _of_timm(model: Model, weights: str) -> Preprocessing:
    """timm's, at the size of its two that is the architecture's own."""
    found = timm_preprocessing(weights)
    is_own = found.resolution == int(model.architecture.settings["input_resolution"])
    return found if is_own else timm_preprocessing(weights, at_test_size=True)
