"""A list of named networks as a space."""

from __future__ import annotations

import numpy as np
import pytest

from bench.errors import ContentError, SpaceError
from bench.space import (
    NetworkList,
    all_decisions,
    at,
    compose,
    count,
    cross_over,
    decisions,
    describe,
    draw,
    estimate_valid,
    every,
    feature_names,
    features,
    list_networks,
    load_space,
    mutate,
    parse_space,
    shipped_spaces,
)

NAMES = ("fastvit_t8", "mobileone_s0", "efficientnet_b1")


@pytest.fixture(scope="module")
def listed() -> NetworkList:
    return list_networks("peers", NAMES, shipped_spaces(), source="a test")


def test_it_holds_the_named_networks_and_nothing_else(listed: NetworkList) -> None:
    assert tuple(listed.reference_points) == NAMES
    assert count(listed) == 3
    assert list(every(listed)) == [at(listed, index) for index in range(3)] == list(listed.networks)
    assert estimate_valid(listed).estimate == 3
    assert listed.contains(listed.networks[0])
    assert not listed.contains(load_space("fastvit").reference_points["fastvit_sa12"])
    assert listed.broken_rules(listed.networks[0]) == ()
    (resolutions,) = (row.values for row in describe(listed) if row.word == "input_resolution")
    assert resolutions == (256, 224, 240)


def test_its_text_alone_gives_it_again(listed: NetworkList) -> None:
    again = parse_space(listed.text, source="stored")
    assert isinstance(again, NetworkList)
    assert again == listed
    assert again.reference_points == listed.reference_points


def test_a_file_may_name_shipped_networks_alone() -> None:
    found = parse_space("name: few\nnetworks: [cmt_ti, convnext_t]\n", source="few.yaml")
    assert tuple(found.reference_points) == ("cmt_ti", "convnext_t")
    assert parse_space(found.text, source="again") == found


def test_decisions_is_the_inverse_of_compose(listed: NetworkList) -> None:
    (decision,) = all_decisions(listed)
    assert decision.choices == NAMES
    for architecture in every(listed):
        chosen = decisions(listed, architecture)
        assert compose(listed, lambda asked, chosen=chosen: chosen[asked.name]) == architecture  # type: ignore[misc]
    alone = list_networks("alone", NAMES[:1], shipped_spaces(), source="a test")
    assert all_decisions(alone) == ()
    assert decisions(alone, alone.networks[0]) == {}
    assert features(listed, listed.networks).tolist() == np.eye(3).tolist()
    assert len(feature_names(listed)) == 3


def test_a_list_that_grows_keeps_no_decision_with_other_choices(listed: NetworkList) -> None:
    """Else a sampler that was told of the shorter list could not go on."""
    longer = list_networks("peers", (*NAMES, "cmt_ti"), shipped_spaces(), source="a test")
    before, after = (all_decisions(space)[0] for space in (listed, longer))
    assert after.choices[:3] == before.choices
    assert after.name != before.name
    assert decisions(longer, listed.networks[1]) == {after.name: 1}


def test_draws_and_children_are_of_the_list(listed: NetworkList) -> None:
    random = np.random.default_rng(0)
    assert {draw(listed, random).id for _ in range(50)} == {network.id for network in listed.networks}
    first, second, _ = listed.networks
    assert first not in [mutate(listed, first, random) for _ in range(20)]
    assert {cross_over(listed, first, second, random).id for _ in range(20)} == {first.id, second.id}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nnetworks: [fastvit_t9]\n", "no reference point 'fastvit_t9'; known: .*did you mean 'fastvit_t8'"),
        ("name: x\nnetworks: [fastvit_t8, fastvit_t8]\n", "'fastvit_t8' stands twice in the list"),
        ("name: x\nnetworks: []\n", "no networks; at least one is needed"),
        ("networks: [fastvit_t8]\n", "line 1: 'name' is missing; a list of networks has name, networks"),
        ("name: x\nnetworks: [fastvit_t8]\nrules: []\n", "unknown key 'rules' in a list of networks"),
    ],
)
def test_a_wrong_list_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        parse_space(text, source="list.yaml")


def test_a_list_takes_no_rules(listed: NetworkList) -> None:
    assert listed.with_rules([]) is listed
    with pytest.raises(SpaceError, match="a list of networks; leave names out instead"):
        listed.with_rules(["params_m <= 1"])


def test_an_unknown_space_among_several_is_named() -> None:
    with pytest.raises(ContentError, match="no search spaces entry named 'mobilone'"):
        load_space("fastvit,mobilone")
