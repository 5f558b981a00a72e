"""What an EfficientNet architecture asks for, with every number its modules need worked out.

The network and its cost both read this plan, so that a width is derived in one place only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.errors import NetworkError

if TYPE_CHECKING:
    from bench.space import Architecture
    from bench.space.vocabulary import Scalar

REDUCTION = 4  # of squeeze-and-excitation; a share of what the block reads, not of what it squeezes


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """One stage: a block that reads `in_width` channels with the stride, `depth` - 1 that read `width` without."""

    block: str
    depth: int
    in_width: int
    width: int
    kernel: int
    stride: int
    expansion: int  # 1 where the block has no hidden channels of its own
    squeeze_excite: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EfficientNetPlan:
    """A whole EfficientNet but for its number of classes; only the stages that it has."""

    resolution: int
    stem_width: int
    head_width: int
    activation: str
    stages: tuple[StagePlan, ...]


def plan_efficientnet(architecture: Architecture) -> EfficientNetPlan:
    """The plan of an architecture of the family `efficientnet`.

    Raises:
        NetworkError: a stage is left out before one that is there, or all are left out, against what the family's
            vocabulary says of its blocks.
    """
    settings = architecture.settings
    stem_width = int(settings["stem_width"])
    stages: list[StagePlan] = []
    for words in _present(architecture.stages):
        stages.append(_plan_stage(words, in_width=stages[-1].width if stages else stem_width))
    return EfficientNetPlan(
        resolution=int(settings["input_resolution"]),
        stem_width=stem_width,
        head_width=int(settings["head_width"]),
        activation=str(settings["activation"]),
        stages=tuple(stages),
    )


def check_has_pixels(resolution: int) -> int:
    """`resolution` itself where there is a picture of that side: an EfficientNet takes every size."""
    if resolution < 1:
        raise NetworkError(
            f"resolution is {resolution}; at least 1 is allowed; give the side of the pictures in pixels"
        )
    return resolution


def halved(side: int) -> int:
    """What a convolution of stride 2 writes, padded by half its odd kernel: odd sides are rounded up."""
    return (side + 1) // 2


def hidden_width(stage: StagePlan, in_width: int) -> int:
    """Channels of the k x k convolution of a block that reads `in_width`, and of its squeeze-excite."""
    return in_width * stage.expansion


def squeeze_width(in_width: int) -> int:
    """Hidden channels of squeeze-excite in a block that reads `in_width`."""
    return in_width // REDUCTION


def _present(stages: Sequence[Mapping[str, Scalar]]) -> Sequence[Mapping[str, Scalar]]:
    blocks = [stage["block"] for stage in stages]
    num_present = blocks.index("none") if "none" in blocks else len(blocks)
    later = next((i for i in range(num_present, len(blocks)) if blocks[i] != "none"), None)
    if later is not None:
        raise NetworkError(
            f"stage{num_present + 1}.block is none and stage{later + 1}.block is {blocks[later]}; only the last stages "
            f"can be left out; describe that block in stage{num_present + 1}"
        )
    if num_present == 0:
        raise NetworkError("block is none in every stage; at least stage1 has to be there; give it a block")
    return stages[:num_present]


def _plan_stage(words: Mapping[str, Scalar], *, in_width: int) -> StagePlan:
    # An architecture is canonical: a word that does not apply to the stage is not in it.
    return StagePlan(
        block=str(words["block"]),
        depth=int(words["depth"]),
        in_width=in_width,
        width=int(words["width"]),
        kernel=int(words["kernel"]),
        stride=int(words["stride"]),
        expansion=int(words.get("expansion", 1)),
        squeeze_excite=bool(words.get("squeeze_excite", False)),
    )
