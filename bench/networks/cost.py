"""What a network costs, from its architecture alone: parameters, multiply-adds, activations.

Pure arithmetic over the network's list of operators, under a millisecond, so that a search rejects an architecture
before it builds a single weight. Equal to what torch counts (`numel`, `FlopCounterMode` / 2 with attention unfused),
which the tests assert on random architectures. Multiply-adds are those of convolutions, linear layers and attention's
two matrix products; norms, activations, gates and additions are not counted, as in the papers of this field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.networks.families import operators
from bench.networks.operators import LAYERS, Form

if TYPE_CHECKING:
    from bench.space import Architecture

# float32.
_BYTES_A_NUMBER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Costs of one forward pass of one picture.

    Attributes:
        params: learned numbers (buffers such as running statistics are not counted).
        macs: multiply-adds.
        activations: numbers written by convolutions and linear layers (Dollar et al. 2021), which predict
            the time on memory-bound devices better than multiply-adds do.
        peak_activations: the largest sum of input and output of one of those layers.
    """

    params: int
    macs: int
    activations: int
    peak_activations: int


def costs(
    architecture: Architecture,
    *,
    form: Form = "deploy",
    num_classes: int = 1000,
    resolution: int | None = None,
    fold_attention_norm: bool = True,
) -> Costs:
    """The exact costs of `architecture` in train form or folded.

    Args:
        resolution: side of the input in pixels; None: the architecture's own.
        fold_attention_norm: whether the deploy form folds the norm before qkv as well.

    Raises:
        NetworkError: a family that is not known, a resolution that it cannot take, or words that do not agree.
    """
    params = macs = activations = peak = 0
    for operator in operators(
        architecture,
        form=form,
        num_classes=num_classes,
        resolution=resolution,
        fold_attention_norm=fold_attention_norm,
    ):
        params += operator.count * operator.params
        macs += operator.count * operator.macs
        if operator.kind in LAYERS:
            activations += operator.count * operator.written
            peak = max(peak, operator.read + operator.written)
    return Costs(params=params, macs=macs, activations=activations, peak_activations=peak)


def cost_quantities(architecture: Architecture) -> Mapping[str, float]:
    """The quantities that rules of a space can name, of the deploy form: `params_m`, `macs_g`, `peak_memory_mb`."""
    deploy = costs(architecture)
    return {
        "params_m": deploy.params / 1e6,
        "macs_g": deploy.macs / 1e9,
        "peak_memory_mb": deploy.peak_activations * _BYTES_A_NUMBER / 1e6,
    }
