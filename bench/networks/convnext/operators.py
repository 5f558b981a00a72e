"""The operators of a ConvNeXt in train form and in deploy form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.networks.convnext.plan import PATCH, STRIDE, StagePlan, plan_convnext
from bench.networks.grid import check_resolution
from bench.networks.operators import (
    Form,
    Operator,
    activated,
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
    fold_attention_norm: bool,  # noqa: ARG001  (one signature for all)
) -> Iterator[Operator]:
    """See `bench.networks.families.operators`."""
    plan = plan_convnext(architecture)
    side = (plan.resolution if resolution is None else check_resolution(resolution, STRIDE)) // PATCH
    stem_width = plan.stages[0].width
    yield conv(3, stem_width, PATCH, side, stride=PATCH)
    # Scale and shift of this norm stay: they feed the sums of the first stage.
    yield from _map_norm(stem_width, side, params=2 * stem_width)
    for stage in plan.stages:
        if stage.has_downsampling:
            yield from _map_norm(stage.in_width, side, params=_norm_params(stage.in_width, form))
            side //= 2
            yield conv(stage.in_width, stage.width, 2, side, stride=2)
        yield from repeated(_block(stage, side, plan.activation, form), stage.depth)
    yield layer_norm(stage.width, 1, params=_norm_params(stage.width, form))
    yield dense(stage.width, num_classes)


def _block(stage: StagePlan, side: int, activation: str, form: Form) -> Iterator[Operator]:
    width, tokens = stage.width, side * side
    yield depthwise(width, stage.kernel, side)
    yield _transposed(width * tokens)
    yield layer_norm(width, tokens, params=_norm_params(width, form))
    yield from activated(linear(width, stage.hidden_width, tokens), activation)
    yield linear(stage.hidden_width, width, tokens)
    yield _transposed(width * tokens)
    if form == "train":
        yield parameters(width)  # the layer scale
    yield elementwise(width * tokens)


def _map_norm(width: int, side: int, *, params: int) -> Iterator[Operator]:
    """A layer norm over the channels of a feature map."""
    tokens = side * side
    yield _transposed(width * tokens)
    yield layer_norm(width, tokens, params=params)
    yield _transposed(width * tokens)


def _transposed(numbers: int) -> Operator:
    """Channels to the last axis or back: a pass over memory where a runtime keeps them first."""
    return elementwise(numbers)


def _norm_params(width: int, form: Form) -> int:
    """Scale and shift of a norm whose deploy form has given them to the layer behind it."""
    return 2 * width if form == "train" else 0
