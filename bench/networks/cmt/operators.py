"""The operators of a CMT in train form and in deploy form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.networks.cmt.plan import CMTPlan, StagePlan, plan_cmt
from bench.networks.operators import (
    Form,
    Operator,
    activated,
    attention_products,
    conv,
    dense,
    depthwise,
    elementwise,
    layer_norm,
    linear,
    parameters,
    repeated,
)

if TYPE_CHECKING:
    from bench.space import Architecture


def operators(
    architecture: Architecture,
    *,
    form: Form,
    num_classes: int,
    resolution: int | None,
    fold_attention_norm: bool,  # noqa: ARG001  (see folding.py: it means nothing here)
) -> Iterator[Operator]:
    """See `bench.networks.families.operators`."""
    plan = plan_cmt(architecture, resolution=resolution)
    is_folded = form == "deploy"
    yield from _stem(plan, is_folded)
    in_width = plan.stem_width
    for stage in plan.stages:
        yield conv(in_width, stage.width, 2, stage.side, stride=2)
        yield layer_norm(stage.width, stage.num_tokens, params=2 * stage.width)
        yield parameters(stage.num_heads * stage.num_tokens * stage.num_keys)
        yield from repeated(_block(stage, plan.activation, is_folded), stage.depth)
        in_width = stage.width
    yield from activated(conv(in_width, plan.head_width, 1, stage.side), "silu")
    yield from _norm(plan.head_width, is_folded)
    yield dense(plan.head_width, num_classes)


def _stem(plan: CMTPlan, is_folded: bool) -> Iterator[Operator]:
    width, side = plan.stem_width, plan.resolution // 2
    for in_width, stride in ((3, 2), (width, 1)):
        yield from activated(conv(in_width, width, 3, side, stride=stride), plan.activation)
        # Behind it zeros are padded, so that it stays.
        yield elementwise(width * side * side, params=2 * width)
    yield from activated(conv(width, width, 3, side), plan.activation)
    yield from _norm(width, is_folded)


def _block(stage: StagePlan, activation: str, is_folded: bool) -> Iterator[Operator]:
    yield from _depthwise_residual(stage.width, stage.local_kernel, stage, is_folded)
    yield from _attention(stage, is_folded)
    yield elementwise(stage.width * stage.num_tokens)
    yield from _feed_forward(stage, activation, is_folded)
    yield elementwise(stage.width * stage.num_tokens)


def _attention(stage: StagePlan, is_folded: bool) -> Iterator[Operator]:
    width, tokens, keys = stage.width, stage.num_tokens, stage.num_keys
    is_reduced = stage.reduction > 1
    yield _layer_norm(stage, is_folded)
    if is_reduced:
        yield conv(width, width, stage.reduction, stage.side // stage.reduction, groups=width, stride=stage.reduction)
        yield from _norm(width, is_folded)
    if not is_folded:
        yield linear(width, width, tokens)
        yield elementwise(width * tokens)  # the scale of the queries
        yield from repeated([linear(width, width, keys)], 2)
    elif is_reduced:
        yield linear(width, width, tokens)
        yield linear(width, 2 * width, keys)
    else:
        yield linear(width, 3 * width, tokens)
    scores = stage.num_heads * tokens * keys
    # The position bias is read in every block; the stage holds it once.
    yield Operator(kind="elementwise", read=scores, written=scores, weights=scores)
    yield from attention_products(width, stage.num_heads, tokens, keys)
    yield linear(width, width, tokens)


def _feed_forward(stage: StagePlan, activation: str, is_folded: bool) -> Iterator[Operator]:
    hidden = stage.hidden_width
    yield _layer_norm(stage, is_folded)
    yield from activated(conv(stage.width, hidden, 1, stage.side), activation)
    # Behind it zeros are padded, so that it stays.
    yield elementwise(hidden * stage.num_tokens, params=2 * hidden)
    yield from _depthwise_residual(hidden, stage.ffn_kernel, stage, is_folded)
    yield Operator(kind=activation, read=hidden * stage.num_tokens, written=hidden * stage.num_tokens)
    yield from _norm(hidden, is_folded)
    yield conv(hidden, stage.width, 1, stage.side)
    yield from _norm(stage.width, is_folded)


def _depthwise_residual(width: int, kernel: int, stage: StagePlan, is_folded: bool) -> Iterator[Operator]:
    yield depthwise(width, kernel, stage.side)
    if not is_folded:
        yield elementwise(width * stage.num_tokens)


def _layer_norm(stage: StagePlan, is_folded: bool) -> Operator:
    """Of a block; its scale and shift fold into what follows."""
    return layer_norm(stage.width, stage.num_tokens, params=0 if is_folded else 2 * stage.width)


def _norm(width: int, is_folded: bool) -> Iterator[Operator]:
    """A batch norm that folds into a convolution beside it."""
    if not is_folded:
        yield parameters(2 * width)
