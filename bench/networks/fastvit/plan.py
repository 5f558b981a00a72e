"""What a FastViT architecture asks for, with every number its modules need worked out.

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
_MAY_BE_ABSENT = ("mixer_kernel", "head_dim", "downsample_kernel", "position_kernel")


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """One stage: an optional downsampling, an optional position encoding, `depth` equal blocks."""

    depth: int
    width: int
    hidden_width: int
    ffn_kernel: int
    mixer: str
    mixer_kernel: int | None  # of a RepMixer
    head_dim: int | None  # of attention
    downsample_kernel: int | None  # None: the first stage, where the stem has downsampled
    position_kernel: int | None  # None: no position encoding


@dataclass(frozen=True, slots=True, kw_only=True)
class FastViTPlan:
    """A whole FastViT but for its number of classes."""

    resolution: int
    stem_width: int
    activation: str
    train_branches: int
    head_squeeze_excite: bool
    head_width: int
    stages: tuple[StagePlan, ...]


def plan_fastvit(architecture: Architecture) -> FastViTPlan:
    """The plan of an architecture of the family `fastvit`."""
    settings = architecture.settings
    stages = tuple(_plan_stage(stage) for stage in architecture.stages)
    return FastViTPlan(
        resolution=check_resolution(int(settings["input_resolution"]), STRIDE),
        stem_width=int(settings["stem_width"]),
        activation=str(settings["activation"]),
        train_branches=int(settings["train_branches"]),
        head_squeeze_excite=bool(settings["head_squeeze_excite"]),
        head_width=stages[-1].width * int(settings["head_expansion"]),
        stages=stages,
    )


def depthwise_multiplier(in_width: int, out_width: int) -> int:
    """Channels that a downsampling's depthwise convolution makes of each one it reads.

    The published networks double the width, there it is 2; between arbitrary widths it is the nearest whole
    number and the 1x1 convolution behind it reaches the exact width.
    """
    return max(1, (2 * out_width + in_width) // (2 * in_width))


def squeeze_width(width: int) -> int:
    """Hidden channels of squeeze-and-excitation (Hu et al. 2018) with FastViT's reduction ratio 1/16."""
    return max(1, int(width / 16 + 0.5))


def _plan_stage(stage: Mapping[str, Scalar]) -> StagePlan:
    # An architecture is canonical: a word that does not apply to the stage is not in it.
    kernels = {name: int(stage[name]) if name in stage else None for name in _MAY_BE_ABSENT}
    return StagePlan(
        depth=int(stage["depth"]),
        width=int(stage["width"]),
        hidden_width=int(int(stage["width"]) * float(stage["mlp_ratio"])),
        ffn_kernel=int(stage["ffn_kernel"]),
        mixer=str(stage["mixer"]),
        **kernels,
    )
