"""Zero-cost proxies from the command line."""

from __future__ import annotations

import json
import re

from bench.proxies.zero_cost import FEATURES, zero_cost_features
from bench.space import load_space

from .here import Here


def test_networks_are_scored_side_by_side(here: Here) -> None:
    ended = here("proxies", "score", "smoke_repmixer", "smoke_attention")
    assert ended.code == 0, ended.err
    heading, _, *rows = ended.out.splitlines()
    assert heading.split() == ["network", *FEATURES]
    assert [row.split()[0] for row in rows] == ["smoke_repmixer", "smoke_attention"]


def test_for_machines_in_full(here: Here) -> None:
    (row,) = map(json.loads, here("proxies", "score", "smoke_repmixer", "--seed", 3, "--json").out.splitlines())
    point = load_space("smoke").reference_points["smoke_repmixer"]
    assert row == {"name": "smoke_repmixer", "id": point.id, "seed": 3, **zero_cost_features(point, seed=3)}


def test_draws_of_a_space_are_scored(here: Here) -> None:
    rows = [
        json.loads(line) for line in here("proxies", "score", "--space", "smoke", "--n", 2, "--json").out.splitlines()
    ]
    assert [re.fullmatch(r"[0-9a-f]+", row["name"]) is not None for row in rows] == [True, True]


def test_what_cannot_be_scored_is_told(here: Here) -> None:
    for words, message in (
        ((), "no MODEL and no --space"),
        (("timm:resnet18",), "'timm:resnet18' is no network of these families"),
        (("fastvit_t9",), "did you mean 'fastvit_t8'"),
    ):
        ended = here("proxies", "score", *words)
        assert ended.code == 1
        assert message in ended.err
        assert ended.err.count("\n") == 1
