"""What a network computes for one picture, as a list of operators: what costs and latency models are counted from.

Each family lists its own (`bench/networks/<family>/operators.py`), in train form and in deploy form, by arithmetic on
the architecture alone. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Form = Literal["deploy", "train"]

# Kinds of operators that are layers of weights: what they write are the activations of a network.
LAYERS = frozenset({"dense", "depthwise", "expanding", "linear"})

# Channels that vector units and tensor cores work on together; a width in between costs as much as the next multiple.
_LANES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operator, or `count` equal ones.

    Attributes:
        kind: what its work is: a layer ("dense", "depthwise" and "expanding" convolutions, "linear" over tokens),
            "attention" (one of its two matrix products), "softmax", "norm" (layer norm), "elementwise" or the name of
            an activation; "parameters" does no work (what is folded into a neighbour, or batch norm in train form).
        count: how often the network has it.
        params: learned numbers.
        macs: multiply-adds.
        padding: multiply-adds more where channels are filled up to whole vectors.
        read: numbers read of the activations.
        written: numbers written.
        weights: numbers read of the weights.
    """

    kind: str
    count: int = 1
    params: int = 0
    macs: int = 0
    padding: int = 0
    read: int = 0
    written: int = 0
    weights: int = 0


def repeated(operators: Iterable[Operator], times: int) -> Iterator[Operator]:
    """The operators of `times` equal blocks, given those of one."""
    for operator in operators:
        yield Operator(
            kind=operator.kind,
            count=operator.count * times,
            params=operator.params,
            macs=operator.macs,
            padding=operator.padding,
            read=operator.read,
            written=operator.written,
            weights=operator.weights,
        )


def conv(
    in_width: int,
    width: int,
    kernel: int,
    side: int,
    *,
    groups: int = 1,
    stride: int = 1,
    bias: bool = True,
    read_side: int | None = None,
) -> Operator:
    """A convolution that writes `side` x `side` positions; groups are 1 or `in_width`.

    Args:
        read_side: of its input; None: `side` times `stride`.
    """
    # "expanding" is a depthwise convolution with several outputs a channel. ONNX Runtime 1.31 has no kernel of its own
    # for it on x86: a multiply-add took 10 to 40 times as long as in the ordinary kind (2 vCPUs with AVX-512, 2026).
    kind = "dense" if groups == 1 else "depthwise" if in_width == width else "expanding"
    positions, taps = side * side, kernel * kernel
    weights = taps * (in_width // groups) * width
    macs = weights * positions
    filled = {
        "dense": taps * _filled(in_width) * _filled(width) * positions,
        "depthwise": taps * _filled(width) * positions,
        "expanding": macs,
    }
    return Operator(
        kind=kind,
        params=weights + (width if bias else 0),
        macs=macs,
        padding=filled[kind] - macs,
        read=in_width * (side * stride if read_side is None else read_side) ** 2,
        written=width * positions,
        weights=weights,
    )


def depthwise(width: int, kernel: int, side: int, *, stride: int = 1, bias: bool = True) -> Operator:
    """A depthwise convolution that writes `side` x `side` positions."""
    return conv(width, width, kernel, side, groups=width, stride=stride, bias=bias)


def conv_norm(
    in_width: int,
    width: int,
    kernel: int,
    side: int,
    *,
    groups: int = 1,
    stride: int = 1,
    read_side: int | None = None,
) -> Iterator[Operator]:
    """A convolution without bias and its batch norm, in train form."""
    yield conv(in_width, width, kernel, side, groups=groups, stride=stride, bias=False, read_side=read_side)
    yield parameters(2 * width)


def linear(in_width: int, width: int, tokens: int = 1, *, bias: bool = True, kind: str = "linear") -> Operator:
    """A linear layer over tokens; `kind` is "dense" where a runtime sees a 1x1 convolution or a single vector."""
    return Operator(
        kind=kind,
        params=in_width * width + (width if bias else 0),
        macs=in_width * width * tokens,
        read=in_width * tokens,
        written=width * tokens,
        weights=in_width * width,
    )


def dense(in_width: int, width: int) -> Operator:
    """A linear layer of a single vector, such as a classifier."""
    return linear(in_width, width, kind="dense")


def attention_products(width: int, heads: int, tokens: int, keys: int | None = None) -> Iterator[Operator]:
    """Queries times keys, softmax, scores times values; `keys` of them, or as many as tokens."""
    seen = tokens if keys is None else keys
    scores = heads * tokens * seen
    yield Operator(kind="attention", macs=width * tokens * seen, read=width * (tokens + seen), written=scores)
    yield Operator(kind="softmax", read=scores, written=scores)
    yield Operator(kind="attention", macs=width * tokens * seen, read=width * seen + scores, written=width * tokens)


def elementwise(numbers: int, *, params: int = 0) -> Operator:
    """An addition, a product, a batch norm that could not be folded."""
    return Operator(kind="elementwise", params=params, read=numbers, written=numbers)


def layer_norm(width: int, tokens: int, *, params: int = 0) -> Operator:
    """A layer norm over `width` channels of each token."""
    return Operator(kind="norm", params=params, read=width * tokens, written=width * tokens)


def activated(layer: Operator, activation: str) -> Iterator[Operator]:
    """A layer and the activation behind it."""
    yield layer
    yield Operator(kind=activation, read=layer.written, written=layer.written)


def squeeze_excite(width: int, squeezed: int, positions: int, activation: str = "") -> Iterator[Operator]:
    """Channel gates from the mean over `positions` (Hu et al. 2018), and their product with the feature map."""
    yield dense(width, squeezed)
    if activation:
        yield Operator(kind=activation, read=squeezed, written=squeezed)
    yield dense(squeezed, width)
    yield elementwise(width * positions)


def mobileone_block(
    in_width: int, width: int, kernel: int, side: int, branches: int, *, groups: int = 1, stride: int = 1
) -> Iterator[Operator]:
    """A MobileOne block in train form (bench/networks/blocks.py)."""
    yield from repeated(conv_norm(in_width, width, kernel, side, groups=groups, stride=stride), branches)
    if kernel > 1:
        # The scale branch reads the sliced input, so its stride is 1 for the peak as well.
        yield from conv_norm(in_width, width, 1, side, groups=groups)
    if in_width == width and stride == 1:
        yield parameters(2 * width)


def parameters(number: int) -> Operator:
    """Learned numbers without work of their own that anyone counts."""
    return Operator(kind="parameters", params=number)


def _filled(width: int) -> int:
    # The three channels of a picture are read as they are: that convolution has kernels of its own.
    return width if width < _LANES else -(-width // _LANES) * _LANES
