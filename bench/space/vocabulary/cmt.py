"""CMT (Guo et al. 2022)."""

from __future__ import annotations

from bench.space.words import Constraint, Family, Word

# Powers of two: what divides the stages at one resolution then nearly always does so at that of a short training.
REDUCTIONS = (1, 2, 4, 8)


def _divides_its_side(index: int) -> Constraint:
    """Of a stage (0, 1, ...): keys and values see a whole number of positions."""
    stage, stride = f"stage{index + 1}", 4 << index
    return Constraint(
        rule=f"input_resolution // {stride} % {stage}.reduction == 0",
        meaning=f"{stage}.reduction divides the side of its feature map, input_resolution / {stride}",
    )


CMT = Family(
    name="cmt",
    num_stages=4,
    settings=(
        Word(
            name="input_resolution",
            kind="integer",
            meaning="side of the square input at deployment, in pixels; the position bias is made for it",
            default=224,
            low=32,
            high=1024,
            multiple_of=32,  # the total stride, so that every stage sees whole pixels
        ),
        Word(name="stem_width", kind="integer", meaning="channels of the stem", low=8, high=2048),
        Word(
            name="activation",
            kind="word",
            meaning="non-linearity of the stem and of every block",
            default="gelu",
            allowed=("gelu", "relu", "silu", "hardswish"),
        ),
        Word(
            name="head_width",
            kind="integer",
            meaning="channels of the convolution before the classifier",
            default=1280,
            low=8,
            high=4096,
        ),
    ),
    stage=(
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
            name="head_dim",
            kind="integer",
            meaning="channels of one attention head; divides the width",
            low=8,
            high=256,
            divides="width",
        ),
        Word(
            name="reduction",
            kind="integer",
            meaning="factor by which keys and values see a smaller feature map; divides its side",
            among=REDUCTIONS,
        ),
        Word(
            name="local_kernel",
            kind="integer",
            meaning="depthwise kernel of the local perception unit before attention",
            default=3,
            low=3,
            high=31,
            is_odd=True,
        ),
        Word(
            name="ffn_kernel",
            kind="integer",
            meaning="depthwise kernel of the feed-forward part",
            default=3,
            low=3,
            high=31,
            is_odd=True,
        ),
    ),
    constraints=tuple(_divides_its_side(index) for index in range(4)),
)
