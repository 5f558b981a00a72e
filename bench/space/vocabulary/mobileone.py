"""MobileOne (Vasu et al. 2023)."""

from __future__ import annotations

from bench.space.words import Family, Word

MOBILEONE = Family(
    name="mobileone",
    num_stages=4,
    settings=(
        Word(
            name="input_resolution",
            kind="integer",
            meaning="side of the square input at deployment, in pixels",
            default=224,
            low=32,
            high=1024,
            multiple_of=32,  # the total stride, so that every stage sees whole pixels
        ),
        Word(
            name="stem_width",
            kind="integer",
            meaning="channels of the stem",
            default=64,
            low=8,
            high=2048,
        ),
        Word(
            name="activation",
            kind="word",
            meaning="non-linearity behind every convolution",
            default="relu",
            allowed=("gelu", "relu", "silu", "hardswish"),
        ),
        Word(
            name="train_branches",
            kind="integer",
            meaning="k x k convolution branches of every block behind the stem, in train form",
            default=1,
            low=1,
            high=4,
        ),
    ),
    stage=(
        Word(
            name="depth",
            kind="integer",
            meaning="blocks in the stage, each a depthwise and a pointwise convolution",
            low=1,
            high=64,
        ),
        Word(name="width", kind="integer", meaning="channels of the stage", low=8, high=2048),
        Word(
            name="kernel",
            kind="integer",
            meaning="kernel of the depthwise convolutions",
            default=3,
            low=3,
            high=31,
            is_odd=True,
        ),
        Word(
            name="squeeze_excite",
            kind="ratio",
            meaning="share of the stage's blocks that have squeeze-excite: its last ones, rounded down",
            default=0.0,
            low=0,
            high=1,
            scales="depth",
        ),
    ),
)
