"""What decides how long a network takes, counted from its architecture alone: the columns of a latency model.

An architecture becomes the operators of its deploy form, and these are summed up by what their time is made of:
multiply-adds by the class of operator (one of a depthwise convolution takes longer than one of a matrix product),
numbers that activations and softmax work on, bytes moved, and the number of operators. A runner's time is then
nearly a sum of these with its own price for each, which is what the rooflines of single operators add up to
(Williams et al. 2009). All columns are for one picture at the deployment resolution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from bench.errors import NetworkError, nearest
from bench.networks.plan import FastViTPlan, StagePlan, depthwise_multiplier, plan_fastvit, squeeze_width

if TYPE_CHECKING:
    from bench.space import Architecture

Floats = npt.NDArray[np.float64]

# "expanding" is a depthwise convolution with several outputs a channel. ONNX Runtime 1.31 has no kernel of its own
# for it on x86: a multiply-add took 10 to 40 times as long as in the ordinary kind (2 vCPUs with AVX-512, 2026).
Convolution = Literal["dense", "depthwise", "expanding"]

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
    "elementwise_melements",
    "gelu_melements",
    "relu_melements",
    "silu_melements",
    "hardswish_melements",
)

# Channels that vector units and tensor cores work on together; a width in between costs as much as the next multiple.
_LANES = 16
_BYTES = 4  # of a float32; another precision moves fewer, in the same proportion


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operator of a deploy form.

    Attributes:
        kind: with `unit`, the column that counts its work: "dense", "gelu", ...
        macs: multiply-adds.
        padding: multiply-adds more where channels are filled up to whole vectors.
        read: numbers read of the activations.
        written: numbers written.
        weights: numbers read of the weights.
    """

    kind: str
    macs: int = 0
    padding: int = 0
    read: int
    written: int
    weights: int = 0


def features(architectures: Sequence[Architecture]) -> Floats:
    """One row an architecture, one column for each name in `FEATURES`; nothing is negative.

    Raises:
        NetworkError: a family whose operators are not known here.
    """
    rows = [_row(operators(architecture)) for architecture in architectures]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(FEATURES))


def operators(architecture: Architecture, *, num_classes: int = 1000) -> Iterator[Operator]:
    """The operators of the deploy form as it is timed: activations apart, the norm before qkv kept."""
    if architecture.family not in _FAMILIES:
        known = ", ".join(_FAMILIES)
        hint = nearest(architecture.family, _FAMILIES) or "; use one of them, or do without a latency model"
        raise NetworkError(f"no latency features of family {architecture.family!r}; known: {known}{hint}")
    return _FAMILIES[architecture.family](architecture, num_classes)


def _row(found: Iterator[Operator]) -> list[float]:
    total = dict.fromkeys(FEATURES, 0.0)
    total["constant"] = 1.0
    for operator in found:
        total["operators"] += 1
        total["moved_mb"] += (operator.read + operator.written) * _BYTES / 1e6
        total["weights_mb"] += operator.weights * _BYTES / 1e6
        total["padding_gmacs"] += operator.padding / 1e9
        for name, amount in (
            (f"{operator.kind}_gmacs", operator.macs / 1e9),
            (f"{operator.kind}_melements", operator.written / 1e6),
        ):
            if name in total:
                total[name] += amount
    return [total[name] for name in FEATURES]


def _fastvit(architecture: Architecture, num_classes: int) -> Iterator[Operator]:
    plan = plan_fastvit(architecture)
    side, stem, width = plan.resolution // 4, plan.stem_width, plan.stages[0].width
    yield from _activated(_conv(3, stem, 3, 2 * side, stride=2), plan)
    yield from _activated(_conv(stem, stem, 3, side, groups=stem, stride=2), plan)
    yield from _activated(_conv(stem, width, 1, side), plan)
    for i, stage in enumerate(plan.stages):
        at = side >> i
        if stage.downsample_kernel is not None:
            middle = width * depthwise_multiplier(width, stage.width)
            yield _conv(width, middle, stage.downsample_kernel, at, groups=width, stride=2)
            yield from _activated(_conv(middle, stage.width, 1, at), plan)
        if stage.position_kernel is not None:
            yield _depthwise(stage.width, stage.position_kernel, at)
        for _ in range(stage.depth):
            yield from _block(stage, at, plan)
        width = stage.width
    yield from _head(plan, width, side >> 3, num_classes)


_FAMILIES: dict[str, Callable[[Architecture, int], Iterator[Operator]]] = {"fastvit": _fastvit}


def _block(stage: StagePlan, side: int, plan: FastViTPlan) -> Iterator[Operator]:
    width = stage.width
    if stage.mixer_kernel is not None:
        yield _depthwise(width, stage.mixer_kernel, side)
    else:
        assert stage.head_dim is not None  # a stage mixes one way or the other
        yield from _attention(width, width // stage.head_dim, side * side)
    yield _depthwise(width, stage.ffn_kernel, side)
    yield from _activated(_conv(width, stage.hidden_width, 1, side), plan)
    yield _conv(stage.hidden_width, width, 1, side)
    yield _elementwise(width * side * side)


def _attention(width: int, heads: int, tokens: int) -> Iterator[Operator]:
    """Norm, qkv, both matrix products with the softmax in between, projection, residual addition."""
    numbers, scores = width * tokens, heads * tokens * tokens
    yield _elementwise(numbers)
    yield _linear("linear", width, 3 * width, tokens)
    yield Operator(kind="attention", macs=width * tokens * tokens, read=2 * numbers, written=scores)
    yield Operator(kind="softmax", read=scores, written=scores)
    yield Operator(kind="attention", macs=width * tokens * tokens, read=numbers + scores, written=numbers)
    yield _linear("linear", width, width, tokens)
    yield _elementwise(numbers)


def _head(plan: FastViTPlan, width: int, side: int, num_classes: int) -> Iterator[Operator]:
    conv = _conv(width, plan.head_width, 3, side, groups=width)
    yield conv
    if plan.head_squeeze_excite:
        squeezed = squeeze_width(plan.head_width)
        yield _linear("dense", plan.head_width, squeezed)
        yield _linear("dense", squeezed, plan.head_width)
        yield _elementwise(conv.written)
    yield _activation(plan, conv.written)
    yield _linear("dense", plan.head_width, num_classes)


def _activated(conv: Operator, plan: FastViTPlan) -> Iterator[Operator]:
    yield conv
    yield _activation(plan, conv.written)


def _activation(plan: FastViTPlan, numbers: int) -> Operator:
    return Operator(kind=plan.activation, read=numbers, written=numbers)


def _elementwise(numbers: int) -> Operator:
    return Operator(kind="elementwise", read=numbers, written=numbers)


def _depthwise(width: int, kernel: int, side: int) -> Operator:
    return _conv(width, width, kernel, side, groups=width)


def _conv(in_width: int, width: int, kernel: int, side: int, *, groups: int = 1, stride: int = 1) -> Operator:
    """A convolution that writes `side` x `side` positions."""
    kind: Convolution = "dense" if groups == 1 else "depthwise" if in_width == width else "expanding"
    positions, taps = side * side, kernel * kernel
    macs = taps * (in_width // groups) * width * positions
    filled = {
        "dense": taps * _filled(in_width) * _filled(width) * positions,
        "depthwise": taps * _filled(width) * positions,
        "expanding": macs,
    }
    return Operator(
        kind=kind,
        macs=macs,
        padding=filled[kind] - macs,
        read=in_width * (side * stride) ** 2,
        written=width * positions,
        weights=taps * (in_width // groups) * width,
    )


def _linear(kind: str, in_width: int, width: int, tokens: int = 1) -> Operator:
    return Operator(
        kind=kind,
        macs=in_width * width * tokens,
        read=in_width * tokens,
        written=width * tokens,
        weights=in_width * width,
    )


def _filled(width: int) -> int:
    # The three channels of a picture are read as they are: that convolution has kernels of its own.
    return width if width < _LANES else -(-width // _LANES) * _LANES
