"""What a MobileOne architecture asks for, with every number its modules need worked out.

The network and its cost both read this plan, so that a width is derived in one place only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.networks.grid import check_resolution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.space import Architecture
    from bench.space.vocabulary import Scalar

STRIDE = 32  # of the whole network: the stem and each of the four stages divide by 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPlan:
    """One MobileOne block: in deploy form a single convolution, and squeeze-excite where it has that."""

    in_width: int
    width: int
    kernel: int
    stride: int
    groups: int
    num_branches: int
    squeezed: int | None  # hidden channels of squeeze-excite; None: it has none


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileOnePlan:
    """A whole MobileOne but for its number of classes."""

    resolution: int
    activation: str
    stem: BlockPlan
    stages: tuple[tuple[BlockPlan, ...], ...]


def plan_mobileone(architecture: Architecture) -> MobileOnePlan:
    """The plan of an architecture of the family `mobileone`."""
    settings = architecture.settings
    stem_width, num_branches = int(settings["stem_width"]), int(settings["train_branches"])
    in_widths = (stem_width, *(int(stage["width"]) for stage in architecture.stages))
    return MobileOnePlan(
        resolution=check_resolution(int(settings["input_resolution"]), STRIDE),
        activation=str(settings["activation"]),
        stem=BlockPlan(in_width=3, width=stem_width, kernel=3, stride=2, groups=1, num_branches=1, squeezed=None),
        stages=tuple(
            tuple(_plan_stage(stage, in_width, num_branches))
            for stage, in_width in zip(architecture.stages, in_widths, strict=False)
        ),
    )


def squeeze_width(width: int) -> int:
    """Hidden channels of squeeze-excite: a sixteenth, to the nearest multiple of 8 (timm's `SEModule`)."""
    return max(8, int(width / 16 + 4) // 8 * 8)


def _plan_stage(stage: Mapping[str, Scalar], in_width: int, num_branches: int) -> Iterator[BlockPlan]:
    """A depthwise and a pointwise MobileOne block for each of `depth`; the first of all has stride 2."""
    depth, width = int(stage["depth"]), int(stage["width"])
    num_plain = depth - int(depth * float(stage["squeeze_excite"]))
    for i in range(depth):
        has_gates = i >= num_plain
        yield BlockPlan(
            in_width=in_width,
            width=in_width,
            kernel=int(stage["kernel"]),
            stride=1 if i else 2,
            groups=in_width,
            num_branches=num_branches,
            squeezed=squeeze_width(in_width) if has_gates else None,
        )
        yield BlockPlan(
            in_width=in_width,
            width=width,
            kernel=1,
            stride=1,
            groups=1,
            num_branches=num_branches,
            squeezed=squeeze_width(width) if has_gates else None,
        )
        in_width = width
