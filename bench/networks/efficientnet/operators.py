"""The operators of an EfficientNet in train form and in deploy form."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from bench.networks.efficientnet.plan import (
    StagePlan,
    check_has_pixels,
    halved,
    hidden_width,
    plan_efficientnet,
    squeeze_width,
)
from bench.networks.operators import (
    Form,
    Operator,
    activated,
    conv,
    dense,
    elementwise,
    parameters,
    repeated,
    squeeze_excite,
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
    plan = plan_efficientnet(architecture)
    activation = plan.activation
    side = check_has_pixels(plan.resolution if resolution is None else resolution)
    yield from _layer(3, plan.stem_width, 3, side, form=form, stride=2, activation=activation)
    side = halved(side)
    for stage in plan.stages:
        yield from _block(stage, stage.in_width, side, form=form, stride=stage.stride, activation=activation)
        side = halved(side) if stage.stride == 2 else side
        if stage.depth > 1:
            rest = _block(stage, stage.width, side, form=form, stride=1, activation=activation)
            yield from repeated(rest, stage.depth - 1)
    yield from _layer(plan.stages[-1].width, plan.head_width, 1, side, form=form, activation=activation)
    yield dense(plan.head_width, num_classes)


def _block(
    stage: StagePlan, in_width: int, side: int, *, form: Form, stride: int, activation: str
) -> Iterator[Operator]:
    """One block that reads `side` x `side` positions."""
    layer = partial(_layer, form=form)
    hidden, width, kernel = hidden_width(stage, in_width), stage.width, stage.kernel
    out_side = halved(side) if stride == 2 else side
    match stage.block:
        case "convolution":
            yield from layer(in_width, width, kernel, side, stride=stride, activation=activation)
        case "fused":
            yield from layer(in_width, hidden, kernel, side, stride=stride, activation=activation)
            yield from layer(hidden, width, 1, out_side)
        case _:
            if stage.block == "inverted":
                yield from layer(in_width, hidden, 1, side, activation=activation)
            yield from layer(hidden, hidden, kernel, side, groups=hidden, stride=stride, activation=activation)
            if stage.squeeze_excite:
                yield from squeeze_excite(hidden, squeeze_width(in_width), out_side * out_side, activation)
            yield from layer(hidden, width, 1, out_side)
    if stride == 1 and in_width == width:
        yield elementwise(width * side * side)


def _layer(
    in_width: int,
    width: int,
    kernel: int,
    side: int,
    *,
    form: Form,
    groups: int = 1,
    stride: int = 1,
    activation: str = "",
) -> Iterator[Operator]:
    """A convolution that reads `side` x `side` positions, its batch norm (a bias once folded), its activation."""
    out_side = halved(side) if stride == 2 else side
    layer = conv(in_width, width, kernel, out_side, groups=groups, bias=form == "deploy", read_side=side)
    if activation:
        yield from activated(layer, activation)
    else:
        yield layer
    if form == "train":
        yield parameters(2 * width)
