"""What decides how long a network takes, counted from its architecture alone: the columns of a latency model.

An architecture becomes the operators of its deploy form, and these are summed up by what their time is made of:
multiply-adds by the class of operator (one of a depthwise convolution takes longer than one of a matrix product),
numbers that activations and softmax work on, bytes moved, and the number of operators. A runner's time is then
nearly a sum of these with its own price for each, which is what the rooflines of single operators add up to
(Williams et al. 2009). All columns are for one picture at the deployment resolution.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bench.networks.families import operators
from bench.networks.operators import Operator

if TYPE_CHECKING:
    from bench.space import Architecture

Floats = npt.NDArray[np.float64]

FEATURES = (
    "constant",
    "operators",
    "moved_mb",
    "weights_mb",
    "dense_gmacs",
    "depthwise_gmacs",
    "depthwise_melements",
    "expanding_gmacs",
    "expanding_melements",
    "padding_gmacs",
    "linear_gmacs",
    "attention_gmacs",
    "softmax_melements",
    "norm_melements",
    "elementwise_melements",
    "gelu_melements",
    "relu_melements",
    "silu_melements",
    "hardswish_melements",
)

_BYTES = 4  # of a float32; another precision moves fewer, in the same proportion


def features(architectures: Sequence[Architecture]) -> Floats:
    """One row an architecture, one column for each name in `FEATURES`; nothing is negative.

    Raises:
        NetworkError: a family that is not known.
    """
    # As it is timed: the norm before qkv kept, since ONNX Runtime fuses attention only without a bias there.
    rows = [_row(operators(architecture, fold_attention_norm=False)) for architecture in architectures]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(FEATURES))


def _row(found: Iterable[Operator]) -> list[float]:
    total = dict.fromkeys(FEATURES, 0.0)
    total["constant"] = 1.0
    for operator in found:
        total["operators"] += operator.count
        total["moved_mb"] += operator.count * (operator.read + operator.written) * _BYTES / 1e6
        total["weights_mb"] += operator.count * operator.weights * _BYTES / 1e6
        total["padding_gmacs"] += operator.count * operator.padding / 1e9
        for name, amount in (
            (f"{operator.kind}_gmacs", operator.macs / 1e9),
            (f"{operator.kind}_melements", operator.written / 1e6),
        ):
            if name in total:
                total[name] += operator.count * amount
    return [total[name] for name in FEATURES]
