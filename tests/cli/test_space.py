"""`bench space` on a space whose choices do not all agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .here import Here

# Stage 2 has a side of 24 at 192 px and of 28 at 224, which 8 does not divide: one of four cannot be built.
UNEVEN = """
name: uneven
family: cmt
settings: {input_resolution: [192, 224], stem_width: 8, head_width: 16}
every_stage: {depth: 1, width: 16, mlp_ratio: 2, head_dim: 8, reduction: 1}
stages: [{}, {reduction: [1, 8]}, {}, {}]
rules: [params_m <= 40]
"""
BROKEN = "broke 'stage2.reduction divides the side of its feature map, input_resolution / 8'"


@pytest.fixture
def spaces(here: Here, tmp_path: Path) -> Here:
    """Commands in a folder with two such files, one of which holds nothing that can be built."""
    (tmp_path / "uneven.yaml").write_text(UNEVEN)
    (tmp_path / "nothing.yaml").write_text(UNEVEN.replace("[192, 224]", "224").replace("[1, 8]", "8"))
    return here


def test_what_cannot_be_built_is_not_counted(spaces: Here) -> None:
    found = json.loads(spaces("space", "count", "uneven.yaml", "--json").out)
    assert (found["choices"], found["valid"], found["exact"]) == (4, 3, True)
    assert "uneven is valid: 4 networks, 3 obey the rules" in spaces("space", "check", "uneven.yaml").out


def test_what_cannot_be_built_is_not_drawn(spaces: Here) -> None:
    ended = spaces("space", "sample", "uneven.yaml", "--n", 40, "--seed", 2)
    assert ended.code == 0, ended.err
    drawn = [json.loads(line) for line in ended.out.splitlines()]
    seen = {(one["settings"]["input_resolution"], one["stages"][1]["reduction"]) for one in drawn}
    assert seen == {(192, 1), (192, 8), (224, 1)}


def test_a_space_of_which_nothing_can_be_built_says_why(spaces: Here) -> None:
    text = spaces("space", "check", "nothing.yaml").out
    assert "uneven is valid: 1 networks, 0 obey the rules" in text
    assert "a search would refuse to start; no architecture of 200 tries in space 'uneven' can be built, 200 " in text
    assert BROKEN in text
    for words in (("space", "sample", "nothing.yaml"), ("search", "--space", "nothing.yaml")):
        ended = spaces(*words)
        assert ended.code == 1
        assert BROKEN in ended.err
        assert len(ended.err.splitlines()) == 1
