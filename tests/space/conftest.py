"""Small spaces whose size is counted by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from bench.space import Architecture, Space, parse_space

# stem: 2 of {8, 12}: `stage1` and 8 are one where stage 1 is 8 wide.
# stage4: repmixer with 3 widths and 2 kernels, or attention with the widths that 16 or 24 divide:
# 32 (16), 48 (16, 24); 40 has no head; each with or without position encoding, of 2 kernels.
TRICKY = """
name: tricky
family: fastvit
settings:
  input_resolution: 32
  stem_width: [stage1, 8]
every_stage:
  depth: 1
  mlp_ratio: 2
  ffn_kernel: 3
stages:
  - width: [8, 12]
  - width: 16
  - width: 24
    depth: {when: "stage1.width == 12", from: 1, to: 3, step: 1, otherwise: 2}
  - width: [32, 40, 48]
    mixer: [repmixer, attention]
    mixer_kernel: [3, 5]
    head_dim: [16, 24]
    position: {when: mixer == attention, choices: [none, conditional], otherwise: none}
    position_kernel: [3, 7]
"""
# Stage 1 of width 8: one stem, one depth; of width 12: two stems, three depths. Stage 4: 3 * 2 + 3 * 3.
TRICKY_COUNT = (1 * 1 + 2 * 3) * (3 * 2 + 3 * 3)


# Reductions have to divide the side of their stage: 8 divides 24, the side of stage 2 at 192 px, and not 28, at 224.
UNEVEN = """
name: uneven
family: cmt
settings: {input_resolution: [192, 224], stem_width: [8, 16], head_width: 16}
every_stage: {depth: 1, width: 16, mlp_ratio: 2, head_dim: 8, reduction: 1}
stages: [{}, {reduction: [1, 8]}, {}, {}]
"""


@pytest.fixture
def uneven() -> Space:
    return parse_space(UNEVEN, source="uneven.yaml")


@pytest.fixture
def tricky() -> Space:
    return parse_space(TRICKY, source="tricky.yaml")


@pytest.fixture
def ruled() -> Space:
    return parse_space(TRICKY + "rules: ['stage4.width > 32 or stem_width == 8', 'macs_g <= 5']\n", source="ruled")


@pytest.fixture
def costs() -> Callable[[Architecture], Mapping[str, float]]:
    """A cost that is easy to compute by hand: the total depth."""

    def total_depth(architecture: Architecture) -> Mapping[str, float]:
        depth = sum(int(stage["depth"]) for stage in architecture.stages)
        return {"params_m": float(depth), "macs_g": float(depth)}

    return total_depth
