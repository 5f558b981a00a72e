"""What a CMT architecture asks for at a resolution, with every number its modules need worked out.

The network and its cost both read this plan, so that a width is derived in one place only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.errors import NetworkError
from bench.networks.grid import check_resolution
from bench.space.vocabulary.cmt import REDUCTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.space import Architecture
    from bench.space.vocabulary import Scalar

STRIDE = 32  # of the whole network: the stem and each of the four patch embeddings divide by 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """One stage: a patch embedding, then `depth` equal blocks on `side` x `side` positions."""

    depth: int
    width: int
    hidden_width: int
    head_dim: int
    reduction: int
    local_kernel: int
    ffn_kernel: int
    side: int

    @property
    def num_heads(self) -> int:
        return self.width // self.head_dim

    @property
    def num_tokens(self) -> int:
        return self.side**2

    @property
    def num_keys(self) -> int:
        return (self.side // self.reduction) ** 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CMTPlan:
    """A whole CMT but for its number of classes."""

    resolution: int
    stem_width: int
    activation: str
    head_width: int
    stages: tuple[StagePlan, ...]


def plan_cmt(architecture: Architecture, *, resolution: int | None = None) -> CMTPlan:
    """The plan of an architecture of the family `cmt`.

    Args:
        resolution: side of the input in pixels; None: the architecture's own.

    Raises:
        NetworkError: a resolution that a CMT cannot take, or a reduction that does not divide its stage.
    """
    settings = architecture.settings
    asked = check_resolution(int(settings["input_resolution"]) if resolution is None else resolution, STRIDE)
    return CMTPlan(
        resolution=asked,
        stem_width=int(settings["stem_width"]),
        activation=str(settings["activation"]),
        head_width=int(settings["head_width"]),
        stages=tuple(_plan_stage(stage, i, asked) for i, stage in enumerate(architecture.stages)),
    )


def _plan_stage(stage: Mapping[str, Scalar], index: int, resolution: int) -> StagePlan:
    side = resolution // 4 >> index
    width, reduction = int(stage["width"]), int(stage["reduction"])
    _check_reduction(reduction, side, name=f"stage{index + 1}.reduction", resolution=resolution)
    return StagePlan(
        depth=int(stage["depth"]),
        width=width,
        hidden_width=int(width * float(stage["mlp_ratio"])),
        head_dim=int(stage["head_dim"]),
        reduction=reduction,
        local_kernel=int(stage["local_kernel"]),
        ffn_kernel=int(stage["ffn_kernel"]),
        side=side,
    )


def _check_reduction(reduction: int, side: int, *, name: str, resolution: int) -> None:
    if side % reduction:
        # The family's vocabulary says so of the architecture's own resolution; here it may be that of a training.
        allowed = [factor for factor in REDUCTIONS if side % factor == 0]
        raise NetworkError(
            f"{name} is {reduction} where the feature map is {side} x {side} (resolution {resolution}); "
            f"allowed: {', '.join(map(str, allowed))}; change the reduction or the resolution"
        )
