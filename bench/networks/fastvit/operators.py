"""The operators of a FastViT in train form and in deploy form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.networks.fastvit.plan import (
    STRIDE,
    FastViTPlan,
    StagePlan,
    depthwise_multiplier,
    plan_fastvit,
    squeeze_width,
)
from bench.networks.grid import check_resolution
from bench.networks.operators import (
    Form,
    Operator,
    activated,
    attention_products,
    conv,
    conv_norm,
    dense,
    depthwise,
    elementwise,
    linear,
    mobileone_block,
    parameters,
    repeated,
    squeeze_excite,
)

if TYPE_CHECKING:
    from bench.space import Architecture


def operators(
    architecture: Architecture, *, form: Form, num_classes: int, resolution: int | None, fold_attention_norm: bool
) -> Iterator[Operator]:
    """See `bench.networks.families.operators`."""
    plan = plan_fastvit(architecture)
    side = plan.resolution if resolution is None else check_resolution(resolution, STRIDE)
    yield from _deploy(plan, side // 4, not fold_attention_norm) if form == "deploy" else _train(plan, side // 4)
    yield dense(plan.head_width, num_classes)


def _deploy(plan: FastViTPlan, side: int, keeps_norm: bool) -> Iterator[Operator]:
    """All parts but the classifier; `side` is that of the first stage."""
    stem, first = plan.stem_width, plan.stages[0].width
    yield from activated(conv(3, stem, 3, 2 * side, stride=2), plan.activation)
    yield from activated(conv(stem, stem, 3, side, groups=stem, stride=2), plan.activation)
    yield from activated(conv(stem, first, 1, side), plan.activation)
    for i, (stage, in_width) in enumerate(_with_in_width(plan)):
        at = side >> i
        if stage.downsample_kernel is not None:
            middle = in_width * depthwise_multiplier(in_width, stage.width)
            yield conv(in_width, middle, stage.downsample_kernel, at, groups=in_width, stride=2)
            yield from activated(conv(middle, stage.width, 1, at), plan.activation)
        if stage.position_kernel is not None:
            yield depthwise(stage.width, stage.position_kernel, at)
        yield from repeated(_deploy_block(stage, at, plan.activation, keeps_norm), stage.depth)
    yield from _head(plan, side >> 3, [conv(stage.width, plan.head_width, 3, side >> 3, groups=stage.width)])


def _deploy_block(stage: StagePlan, side: int, activation: str, keeps_norm: bool) -> Iterator[Operator]:
    width, numbers = stage.width, stage.width * side * side
    match stage.mixer:
        case "repmixer":
            assert stage.mixer_kernel is not None
            yield depthwise(width, stage.mixer_kernel, side)
        case "attention":
            if keeps_norm:
                yield elementwise(numbers, params=2 * width)
            yield from _attention(stage, side, qkv_bias=not keeps_norm)
            yield elementwise(numbers)
        case "pooling":
            # The window's sum, the difference and the scaled addition; the norm has become one with the scale.
            yield from (elementwise(numbers), elementwise(numbers), elementwise(numbers, params=width))
    yield depthwise(width, stage.ffn_kernel, side)
    yield from _fully_connected(stage, side, activation)
    yield elementwise(numbers)


def _train(plan: FastViTPlan, side: int) -> Iterator[Operator]:
    stem, first, branches = plan.stem_width, plan.stages[0].width, plan.train_branches
    yield from mobileone_block(3, stem, 3, 2 * side, branches, stride=2)
    yield from mobileone_block(stem, stem, 3, side, branches, groups=stem, stride=2)
    yield from mobileone_block(stem, first, 1, side, branches)
    for i, (stage, in_width) in enumerate(_with_in_width(plan)):
        at = side >> i
        if stage.downsample_kernel is not None:
            middle = in_width * depthwise_multiplier(in_width, stage.width)
            kernel = stage.downsample_kernel
            for size in (kernel, 3) if kernel > 3 else (kernel,):
                yield from conv_norm(in_width, middle, size, at, groups=in_width, stride=2)
            yield from mobileone_block(middle, stage.width, 1, at, branches)
        if stage.position_kernel is not None:
            yield depthwise(stage.width, stage.position_kernel, at)
        yield from repeated(_train_block(stage, at, plan), stage.depth)
    final = mobileone_block(stage.width, plan.head_width, 3, side >> 3, branches, groups=stage.width)
    yield from _head(plan, side >> 3, final)


def _train_block(stage: StagePlan, side: int, plan: FastViTPlan) -> Iterator[Operator]:
    width = stage.width
    yield parameters(2 * width + 2 * width)  # a norm and two layer scales
    match stage.mixer:
        case "repmixer":
            assert stage.mixer_kernel is not None
            yield from mobileone_block(width, width, stage.mixer_kernel, side, plan.train_branches, groups=width)
        case "attention":
            yield from _attention(stage, side, qkv_bias=False)
        case "pooling":
            yield elementwise(width * side * side)
    yield from conv_norm(width, width, stage.ffn_kernel, side, groups=width)
    yield from _fully_connected(stage, side, plan.activation)


def _with_in_width(plan: FastViTPlan) -> Iterator[tuple[StagePlan, int]]:
    in_width = plan.stages[0].width
    for stage in plan.stages:
        yield stage, in_width
        in_width = stage.width


def _head(plan: FastViTPlan, side: int, final: list[Operator] | Iterator[Operator]) -> Iterator[Operator]:
    positions = side * side
    yield from final
    if plan.head_squeeze_excite:
        yield from squeeze_excite(plan.head_width, squeeze_width(plan.head_width), positions)
    numbers = plan.head_width * positions
    yield Operator(kind=plan.activation, read=numbers, written=numbers)


def _fully_connected(stage: StagePlan, side: int, activation: str) -> Iterator[Operator]:
    yield from activated(conv(stage.width, stage.hidden_width, 1, side), activation)
    yield conv(stage.hidden_width, stage.width, 1, side)


def _attention(stage: StagePlan, side: int, *, qkv_bias: bool) -> Iterator[Operator]:
    """qkv, both matrix products with the softmax in between, the projection."""
    assert stage.head_dim is not None
    width, tokens = stage.width, side * side
    yield linear(width, 3 * width, tokens, bias=qkv_bias)
    yield from attention_products(width, width // stage.head_dim, tokens)
    yield linear(width, width, tokens)
