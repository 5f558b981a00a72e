"""EfficientNet (Tan and Le 2019) and EfficientNetV2 (Tan and Le 2021)."""

from __future__ import annotations

from bench.space.words import Constraint, Family, Word

_BLOCKS = ("depthwise_separable", "inverted", "fused", "convolution")
_THERE = ("block", _BLOCKS)  # nothing else is said of a stage that is left out, so that one network has one id
_NUM_STAGES = 7


def _only_last_left_out(number: int) -> Constraint:
    """Of a stage (1, 2, ...) and the one behind it; else one network would have several descriptions, and as many
    ids."""
    stage, behind = f"stage{number}", f"stage{number + 1}"
    return Constraint(
        rule=f"{stage}.block != none or {behind}.block == none",
        meaning=f"{behind}.block is none where {stage}.block is: only the last stages are left out",
    )


# Widths are multiples of 8, as the published ones are rounded to. Then every hidden width is the exact product of a
# width and an expansion, and no two expansions make one network.
EFFICIENTNET = Family(
    name="efficientnet",
    num_stages=_NUM_STAGES,
    settings=(
        Word(
            name="input_resolution",
            kind="integer",
            meaning="side of the square input at deployment, in pixels",
            default=224,
            low=32,
            high=1024,
        ),
        Word(
            name="stem_width",
            kind="integer",
            meaning="channels of the first convolution",
            default=32,
            low=8,
            high=2048,
            multiple_of=8,
        ),
        Word(
            name="head_width",
            kind="integer",
            meaning="channels before the classifier",
            default=1280,
            low=8,
            high=8192,
            multiple_of=8,
        ),
        Word(
            name="activation",
            kind="word",
            meaning="non-linearity of every block",
            default="silu",
            allowed=("gelu", "relu", "silu", "hardswish"),
        ),
    ),
    stage=(
        Word(
            name="block",
            kind="word",
            meaning="what the stage is made of; none, then in all later stages too, leaves it out",
            default="inverted",
            allowed=(*_BLOCKS, "none"),
        ),
        Word(name="depth", kind="integer", meaning="blocks in the stage", low=1, high=64, only_if=_THERE),
        Word(
            name="width",
            kind="integer",
            meaning="channels of the stage",
            low=8,
            high=2048,
            multiple_of=8,
            only_if=_THERE,
        ),
        Word(
            name="kernel",
            kind="integer",
            meaning="kernel of every block; of its depthwise convolution where it has one",
            default=3,
            low=3,
            high=9,
            is_odd=True,
            only_if=_THERE,
        ),
        Word(name="stride", kind="integer", meaning="stride of the first block", low=1, high=2, only_if=_THERE),
        Word(
            name="expansion",
            kind="integer",
            meaning="hidden channels of a block, as a multiple of those it reads",
            low=1,
            high=8,
            only_if=("block", ("inverted", "fused")),
        ),
        Word(
            name="squeeze_excite",
            kind="boolean",
            meaning="squeeze-excite behind the depthwise convolution of every block",
            default=True,
            only_if=("block", ("depthwise_separable", "inverted")),
        ),
    ),
    constraints=(
        Constraint(rule="stage1.block != none", meaning="stage1.block is not none: there is a stage at least"),
        *(_only_last_left_out(number) for number in range(1, _NUM_STAGES)),
    ),
)
