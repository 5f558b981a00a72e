"""What a network costs, from its architecture alone: parameters, multiply-adds, activations.

Pure arithmetic, 0.3 ms, so that a search rejects an architecture before it builds a single weight.
Equal to what torch counts (`numel`, `FlopCounterMode` / 2 with attention unfused), which the tests assert on
random architectures. Multiply-adds are those of convolutions, linear layers and attention's two matrix
products; norms, activations, gates and additions are not counted, as in the papers of this field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Literal

from bench.errors import NetworkError, nearest
from bench.networks.plan import (
    FastViTPlan,
    StagePlan,
    check_resolution,
    depthwise_multiplier,
    plan_fastvit,
    squeeze_width,
)

if TYPE_CHECKING:
    from bench.space import Architecture

Form = Literal["deploy", "train"]


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

    params: int = 0
    macs: int = 0
    activations: int = 0
    peak_activations: int = 0

    def __add__(self, other: Costs) -> Costs:
        return Costs(
            params=self.params + other.params,
            macs=self.macs + other.macs,
            activations=self.activations + other.activations,
            peak_activations=max(self.peak_activations, other.peak_activations),
        )

    def __mul__(self, times: int) -> Costs:
        return Costs(
            params=self.params * times,
            macs=self.macs * times,
            activations=self.activations * times,
            peak_activations=self.peak_activations if times else 0,
        )


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
    """
    if architecture.family not in _COUNTERS:
        known = ", ".join(_COUNTERS)
        hint = nearest(architecture.family, _COUNTERS) or "; use one of them"
        raise NetworkError(f"cannot count family {architecture.family!r}; known: {known}{hint}")
    counter = _COUNTERS[architecture.family]
    return counter(architecture, form, num_classes, resolution, fold_attention_norm)


def cost_quantities(architecture: Architecture) -> Mapping[str, float]:
    """The quantities that rules of a space can name: `params_m` and `macs_g` of the deploy form."""
    deploy = costs(architecture)
    return {"params_m": deploy.params / 1e6, "macs_g": deploy.macs / 1e9}


def _fastvit(
    architecture: Architecture,
    form: Form,
    num_classes: int,
    resolution: int | None,
    fold_attention_norm: bool,
) -> Costs:
    plan = plan_fastvit(architecture)
    side = plan.resolution if resolution is None else check_resolution(resolution)
    keeps_norm = not fold_attention_norm
    parts = _deploy(plan, side // 4, keeps_norm) if form == "deploy" else _train(plan, side // 4)
    return reduce(Costs.__add__, [*parts, _linear(plan.head_width, num_classes)])


_COUNTERS: dict[str, Callable[[Architecture, Form, int, int | None, bool], Costs]] = {"fastvit": _fastvit}


def _deploy(plan: FastViTPlan, side: int, keeps_norm: bool) -> Iterator[Costs]:
    """All parts but the classifier; `side` is that of the first stage."""
    stem, first = plan.stem_width, plan.stages[0].width
    yield _conv(3, stem, 3, 2 * side, stride=2)
    yield _conv(stem, stem, 3, side, groups=stem, stride=2)
    yield _conv(stem, first, 1, side)
    for i, (stage, in_width) in enumerate(_with_in_width(plan)):
        at = side >> i
        if stage.downsample_kernel is not None:
            middle = in_width * depthwise_multiplier(in_width, stage.width)
            yield _conv(in_width, middle, stage.downsample_kernel, at, groups=in_width, stride=2)
            yield _conv(middle, stage.width, 1, at)
        if stage.position_kernel is not None:
            yield _depthwise(stage.width, stage.position_kernel, at)
        yield _deploy_block(stage, at, keeps_norm) * stage.depth
    yield _head(plan, _conv(stage.width, plan.head_width, 3, side >> 3, groups=stage.width))


def _deploy_block(stage: StagePlan, side: int, keeps_norm: bool) -> Costs:
    if stage.mixer_kernel is not None:
        mixer = _depthwise(stage.width, stage.mixer_kernel, side)
    else:
        norm = Costs(params=(2 if keeps_norm else 3) * stage.width)  # kept: scale and shift; folded: the bias of qkv
        mixer = norm + _attention(stage.width, side)
    return mixer + _depthwise(stage.width, stage.ffn_kernel, side) + _fully_connected(stage, side)


def _train(plan: FastViTPlan, side: int) -> Iterator[Costs]:
    stem, first, branches = plan.stem_width, plan.stages[0].width, plan.train_branches
    yield _mobileone(3, stem, 3, 2 * side, branches, stride=2)
    yield _mobileone(stem, stem, 3, side, branches, groups=stem, stride=2)
    yield _mobileone(stem, first, 1, side, branches)
    for i, (stage, in_width) in enumerate(_with_in_width(plan)):
        at = side >> i
        if stage.downsample_kernel is not None:
            middle = in_width * depthwise_multiplier(in_width, stage.width)
            kernel = stage.downsample_kernel
            for size in (kernel, 3) if kernel > 3 else (kernel,):
                yield _conv_norm(in_width, middle, size, at, groups=in_width, stride=2)
            yield _mobileone(middle, stage.width, 1, at, branches)
        if stage.position_kernel is not None:
            yield _depthwise(stage.width, stage.position_kernel, at)
        yield _train_block(stage, at, branches) * stage.depth
    final = _mobileone(stage.width, plan.head_width, 3, side >> 3, branches, groups=stage.width)
    yield _head(plan, final)


def _train_block(stage: StagePlan, side: int, branches: int) -> Costs:
    width = stage.width
    if stage.mixer_kernel is not None:
        norm_and_scales = Costs(params=2 * width + 2 * width)
        mixer = norm_and_scales + _mobileone(width, width, stage.mixer_kernel, side, branches, groups=width)
    else:
        mixer = Costs(params=2 * width + 2 * width) + _attention(width, side)
    ffn = _conv_norm(width, width, stage.ffn_kernel, side, groups=width)
    return mixer + ffn + _fully_connected(stage, side)


def _with_in_width(plan: FastViTPlan) -> Iterator[tuple[StagePlan, int]]:
    in_width = plan.stages[0].width
    for stage in plan.stages:
        yield stage, in_width
        in_width = stage.width


def _mobileone(
    in_width: int, width: int, kernel: int, side: int, branches: int, *, groups: int = 1, stride: int = 1
) -> Costs:
    total = _conv_norm(in_width, width, kernel, side, groups=groups, stride=stride) * branches
    if kernel > 1:
        # The scale branch reads the sliced input, so its stride is 1 for the peak as well.
        total += _conv_norm(in_width, width, 1, side, groups=groups)
    if in_width == width and stride == 1:
        total += Costs(params=2 * width)
    return total


def _head(plan: FastViTPlan, conv: Costs) -> Costs:
    if not plan.head_squeeze_excite:
        return conv
    squeezed = squeeze_width(plan.head_width)
    return conv + _conv(plan.head_width, squeezed, 1, 1) + _conv(squeezed, plan.head_width, 1, 1)


def _fully_connected(stage: StagePlan, side: int) -> Costs:
    return _conv(stage.width, stage.hidden_width, 1, side) + _conv(stage.hidden_width, stage.width, 1, side)


def _attention(width: int, side: int) -> Costs:
    """qkv without bias, both matrix products over side * side tokens, the projection."""
    tokens = side * side
    products = Costs(macs=2 * tokens * tokens * width)
    return _linear(width, 3 * width, tokens, bias=False) + products + _linear(width, width, tokens)


def _depthwise(width: int, kernel: int, side: int) -> Costs:
    return _conv(width, width, kernel, side, groups=width)


def _conv_norm(in_width: int, width: int, kernel: int, side: int, *, groups: int = 1, stride: int = 1) -> Costs:
    norm = Costs(params=2 * width)
    return norm + _conv(in_width, width, kernel, side, groups=groups, stride=stride, bias=False)


def _conv(
    in_width: int, width: int, kernel: int, side: int, *, groups: int = 1, stride: int = 1, bias: bool = True
) -> Costs:
    """A convolution that writes `side` x `side` positions."""
    weights = kernel * kernel * (in_width // groups) * width
    written = width * side * side
    return Costs(
        params=weights + (width if bias else 0),
        macs=weights * side * side,
        activations=written,
        peak_activations=written + in_width * (side * stride) ** 2,
    )


def _linear(in_width: int, width: int, tokens: int = 1, *, bias: bool = True) -> Costs:
    return Costs(
        params=in_width * width + (width if bias else 0),
        macs=in_width * width * tokens,
        activations=width * tokens,
        peak_activations=(in_width + width) * tokens,
    )
