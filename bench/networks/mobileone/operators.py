"""The operators of a MobileOne in train form and in deploy form."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from bench.networks.grid import check_resolution
from bench.networks.mobileone.plan import STRIDE, BlockPlan, plan_mobileone
from bench.networks.operators import Form, Operator, conv, dense, mobileone_block, squeeze_excite

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
    plan = plan_mobileone(architecture)
    side = plan.resolution if resolution is None else check_resolution(resolution, STRIDE)
    for block in chain((plan.stem,), *plan.stages):
        side //= block.stride
        yield from _convolution(block, side, form)
        if block.squeezed is not None:
            yield from squeeze_excite(block.width, block.squeezed, side * side)
        numbers = block.width * side * side
        yield Operator(kind=plan.activation, read=numbers, written=numbers)
    yield dense(block.width, num_classes)


def _convolution(block: BlockPlan, side: int, form: Form) -> Iterator[Operator]:
    """The linear part of a block, which writes `side` x `side` positions."""
    groups, stride = block.groups, block.stride
    if form == "deploy":
        yield conv(block.in_width, block.width, block.kernel, side, groups=groups, stride=stride)
    else:
        branches = block.num_branches
        yield from mobileone_block(
            block.in_width, block.width, block.kernel, side, branches, groups=groups, stride=stride
        )
