"""The families as one: words, plans and packages agree."""

from __future__ import annotations

import importlib
import random
from collections.abc import Mapping
from typing import Any

import pytest

from bench.errors import NetworkError
from bench.networks import costs, families
from bench.space import Architecture, shipped_spaces, vocabulary
from bench.space.genes import values_of
from bench.space.space import impossible, needs

# What each part of a family's package has to offer.
PARTS = {"plan": None, "operators": "operators", "network": "build", "folding": None}


def cmt(pick: random.Random) -> Architecture:
    stages = [
        {"depth": 1, "width": 8, "mlp_ratio": 2, "head_dim": 8, "reduction": pick.choice([1, 1, 2, 4, 8])}
        for _ in range(4)
    ]
    settings = {"input_resolution": 32 * pick.randint(1, 32), "stem_width": 8}
    return Architecture.from_dict({"family": "cmt", "settings": settings, "stages": stages})


def efficientnet(pick: random.Random) -> Architecture:
    there = {"depth": 1, "width": 8, "stride": 1, "expansion": 1}
    num_there = pick.randint(0, 7)
    stages = [{"block": "fused", **there} if i < num_there else {"block": "none"} for i in range(7)]
    if pick.random() < 0.5:
        pick.shuffle(stages)
    return Architecture.from_dict({"family": "efficientnet", "settings": {}, "stages": stages})


def can_be_counted(architecture: Architecture) -> bool:
    try:
        costs(architecture)
    except NetworkError:
        return False
    return True


def test_the_families_that_can_be_described_are_those_that_can_be_built() -> None:
    assert set(families.FAMILIES) == set(vocabulary.FAMILIES)
    assert {space.family for space in shipped_spaces()} == set(families.FAMILIES)
    assert all(name == family.name for name, family in vocabulary.FAMILIES.items())


@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize("part", PARTS)
def test_every_family_has_all_its_parts(family: str, part: str) -> None:
    module = importlib.import_module(f"bench.networks.{family}.{part}")
    if (name := PARTS[part]) is not None:
        assert callable(getattr(module, name))


@pytest.mark.parametrize("make", [cmt, efficientnet])
def test_what_the_vocabulary_calls_impossible_is_what_cannot_be_built(make: Any) -> None:
    pick = random.Random(0)
    made = [make(pick) for _ in range(150)]
    found = [not impossible(architecture.family, values_of(architecture)) for architecture in made]
    assert found == [can_be_counted(architecture) for architecture in made]
    assert 20 < sum(found) < 130


def test_only_words_that_can_disagree_need_anything() -> None:
    told: Mapping[str, int] = {family: len(needs(family)) for family in families.FAMILIES}
    assert told == {"fastvit": 0, "mobileone": 0, "efficientnet": 7, "convnext": 0, "cmt": 4}


def test_an_unknown_family_is_named_with_the_nearest() -> None:
    with pytest.raises(NetworkError, match=r"unknown family 'cmtt'; known: fastvit, .*; did you mean 'cmt'\?"):
        families._part("cmtt", "plan")
