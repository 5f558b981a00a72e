"""The words with which an architecture of each family is described, as plain data.

A family is one entry of `FAMILIES`; the code that checks, counts, draws and encodes architectures reads
nothing else, so a new family is a new entry here and a network under `bench/networks`.

Two promises keep stored architecture ids valid: a default never changes, and a new word gets a default that
describes the networks made before it (see `Architecture.id`).
"""

from __future__ import annotations

from bench.errors import SpaceError, nearest
from bench.space.words import Family, Scalar, Word

__all__ = ["FAMILIES", "FASTVIT", "Family", "Scalar", "Word", "find_family"]

FASTVIT = Family(
    name="fastvit",
    num_stages=4,
    settings=(
        Word(
            name="input_resolution",
            kind="integer",
            meaning="side of the square input at deployment, in pixels",
            default=256,
            low=32,
            high=1024,
            multiple_of=32,  # the total stride, so that every stage sees whole pixels
        ),
        Word(
            name="stem_width",
            kind="integer",
            meaning="channels of the stem; `stage1` stands for the width of the first stage",
            default="stage1",
            low=8,
            high=2048,
            follows={"stage1": (0, "width")},
        ),
        Word(
            name="activation",
            kind="word",
            meaning="non-linearity of every block",
            default="gelu",
            allowed=("gelu", "relu", "silu", "hardswish"),
        ),
        Word(
            name="train_branches",
            kind="integer",
            meaning="k x k convolution branches of every MobileOne block in train form",
            default=1,
            low=1,
            high=4,
        ),
        Word(
            name="head_squeeze_excite",
            kind="boolean",
            meaning="squeeze-excite in the convolution before the classifier",
            default=True,
        ),
        Word(
            name="head_expansion",
            kind="integer",
            meaning="channels before the classifier, as a multiple of the last stage's width",
            default=2,
            low=1,
            high=4,
        ),
    ),
    stage=(
        Word(
            name="mixer",
            kind="word",
            meaning="token mixer of every block of the stage",
            default="repmixer",
            allowed=("repmixer", "attention"),
        ),
        Word(name="depth", kind="integer", meaning="blocks in the stage", low=1, high=64),
        Word(name="width", kind="integer", meaning="channels of the stage", low=8, high=2048),
        Word(
            name="mlp_ratio",
            kind="ratio",
            meaning="hidden channels of the feed-forward part, as a multiple of the width",
            low=0.5,
            high=8,
            scales="width",
        ),
        Word(
            name="mixer_kernel",
            kind="integer",
            meaning="kernel of the RepMixer",
            default=3,
            low=3,
            high=31,
            is_odd=True,
            only_if=("mixer", ("repmixer",)),
        ),
        Word(
            name="ffn_kernel",
            kind="integer",
            meaning="depthwise kernel of the feed-forward part",
            default=7,
            low=3,
            high=31,
            is_odd=True,
        ),
        Word(
            name="downsample_kernel",
            kind="integer",
            meaning="kernel of the patch embedding before the stage (the stem stands before the first)",
            default=7,
            low=3,
            high=31,
            is_odd=True,
            in_first_stage=False,
        ),
        Word(
            name="position",
            kind="word",
            meaning="position encoding before the stage; conditional: a depthwise convolution",
            default="none",
            allowed=("none", "conditional"),
        ),
        Word(
            name="position_kernel",
            kind="integer",
            meaning="kernel of the conditional position encoding",
            default=7,
            low=3,
            high=31,
            is_odd=True,
            only_if=("position", ("conditional",)),
        ),
        Word(
            name="head_dim",
            kind="integer",
            meaning="channels of one attention head; divides the width",
            default=32,
            low=8,
            high=256,
            only_if=("mixer", ("attention",)),
            divides="width",
        ),
    ),
)

FAMILIES: dict[str, Family] = {"fastvit": FASTVIT}


def find_family(name: object) -> Family:
    """The family of that name.

    Raises:
        SpaceError: no such family.
    """
    if isinstance(name, str) and name in FAMILIES:
        return FAMILIES[name]
    known = ", ".join(FAMILIES)
    raise SpaceError(f"unknown family {name!r}; known: {known}{nearest(str(name), FAMILIES) or '; name one of them'}")
