"""ConvNeXt (Liu et al. 2022)."""

from __future__ import annotations

from bench.space.words import Family, Word

CONVNEXT = Family(
    name="convnext",
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
            name="activation",
            kind="word",
            meaning="non-linearity of every block",
            default="gelu",
            allowed=("gelu", "relu", "silu", "hardswish"),
        ),
    ),
    stage=(
        Word(name="depth", kind="integer", meaning="blocks in the stage", low=1, high=64),
        Word(name="width", kind="integer", meaning="channels of the stage", low=8, high=2048),
        Word(
            name="kernel",
            kind="integer",
            meaning="kernel of the depthwise convolutions",
            default=7,
            low=3,
            high=31,
            is_odd=True,
        ),
        Word(
            name="mlp_ratio",
            kind="ratio",
            meaning="hidden channels of the feed-forward part, as a multiple of the width",
            default=4.0,
            low=0.5,
            high=8,
            scales="width",
        ),
    ),
)
