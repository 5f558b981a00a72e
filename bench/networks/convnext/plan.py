"""What a ConvNeXt architecture asks for, with every number its modules need worked out.

The network and its cost both read this plan, so that a width is derived in one place only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.networks.grid import check_resolution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.space import Architecture
    from bench.space.vocabulary import Scalar

STRIDE = 32  # of the whole network: the stem divides by 4, three downsamplings by 2 each
PATCH = 4  # side of the squares that the stem makes one position of


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """One stage: a downsampling where it is not the first, then `depth` equal blocks."""

    depth: int
    in_width: int
    width: int
    kernel: int
    mlp_ratio: float
    hidden_width: int
    has_downsampling: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvNeXtPlan:
    """A whole ConvNeXt but for its number of classes."""

    resolution: int
    activation: str
    stages: tuple[StagePlan, ...]


def plan_convnext(architecture: Architecture) -> ConvNeXtPlan:
    """The plan of an architecture of the family `convnext`."""
    settings, stages = architecture.settings, architecture.stages
    in_widths = [int(stage["width"]) for stage in (stages[0], *stages)]
    return ConvNeXtPlan(
        resolution=check_resolution(int(settings["input_resolution"]), STRIDE),
        activation=str(settings["activation"]),
        stages=tuple(
            _plan_stage(stage, in_width, has_downsampling=i > 0)
            for i, (stage, in_width) in enumerate(zip(stages, in_widths, strict=False))
        ),
    )


def _plan_stage(stage: Mapping[str, Scalar], in_width: int, *, has_downsampling: bool) -> StagePlan:
    width, mlp_ratio = int(stage["width"]), float(stage["mlp_ratio"])
    return StagePlan(
        depth=int(stage["depth"]),
        in_width=in_width,
        width=width,
        kernel=int(stage["kernel"]),
        mlp_ratio=mlp_ratio,
        hidden_width=int(width * mlp_ratio),
        has_downsampling=has_downsampling,
    )
