"""Spaces: rules, membership, identity; and the listing of a space."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping

import pytest

from bench.errors import SpaceError
from bench.space import Architecture, Space, at, describe, load_space, parse_space

Costs = Callable[[Architecture], Mapping[str, float]]


def test_added_rules_are_carried_by_the_text(tricky: Space) -> None:
    ruled = tricky.with_rules(["macs_g <= 1.5"]).with_rules(["sum(depth) < 9", "'gelu' == activation"])
    assert ruled.rules == ("macs_g <= 1.5", "sum(depth) < 9", "'gelu' == activation")
    again = parse_space(ruled.text, source=ruled.source)
    assert again == ruled
    assert again.rules == ruled.rules
    assert tricky.rules == ()
    assert tricky.with_rules([]) is tricky


def test_a_bad_added_rule_is_named(tricky: Space) -> None:
    with pytest.raises(SpaceError, match=r"unknown word 'mac_g' at column 1 of 'mac_g < 1'; .*did you mean 'macs_g'?"):
        tricky.with_rules(["mac_g < 1"])


def test_the_hash_is_of_the_meaning(tricky: Space) -> None:
    commented = parse_space("# A comment.\n" + tricky.text, source="elsewhere.yaml")
    assert commented.hash == tricky.hash
    assert commented == tricky
    assert hash(commented) == hash(tricky)
    assert parse_space(tricky.text.replace("[32, 40, 48]", "[32, 40]"), source="tricky.yaml") != tricky
    assert tricky.with_rules(["macs_g < 1"]) != tricky
    assert tricky != "tricky"


def test_a_space_can_be_sent_to_another_process(ruled: Space) -> None:
    assert pickle.loads(pickle.dumps(ruled)) == ruled  # noqa: S301
    assert copy.deepcopy(ruled) == ruled


def test_broken_rules_are_all_named(tricky: Space, costs: Costs) -> None:
    space = tricky.with_rules(["macs_g < 1", "sum(depth) < 2", "max(depth) < 1", "params_m < 100"])
    assert space.broken_rules(at(space, 0), costs) == ("sum(depth) < 2", "max(depth) < 1")
    assert tricky.with_rules(["macs_g < 1", "params_m < 100"]).broken_rules(at(space, 0), costs) == ("macs_g < 1",)
    assert tricky.broken_rules(at(space, 0)) == ()


def test_what_cannot_be_built_breaks_what_its_family_needs(uneven: Space) -> None:
    space = uneven.with_rules(["stem_width > 8", "params_m <= 1000"])
    (broken,) = {
        space.broken_rules(network)
        for network in (at(space, index) for index in range(8))
        if network.stages[1]["reduction"] == 8
        and network.settings["input_resolution"] == 224
        and network.settings["stem_width"] == 8
    }
    assert broken == (
        "stage2.reduction divides the side of its feature map, input_resolution / 8",
        "stem_width > 8",
    )
    # What the family needs is no rule of the file: neither its rules nor its hash tell of it.
    assert space.rules == ("stem_width > 8", "params_m <= 1000")


def test_what_is_outside_is_named_word_by_word(tricky: Space) -> None:
    inside = at(tricky, 0)
    assert tricky.outside(inside) == ()
    changed = inside.to_dict()
    stages = changed["stages"]
    assert isinstance(stages, list)
    stages[3] = {**stages[3], "mixer": "attention", "width": 64, "head_dim": 32}
    stages[1] = {**stages[1], "position": "conditional"}
    changed["settings"] = {"input_resolution": 32, "stem_width": 40}
    assert set(tricky.outside(Architecture.from_dict(changed))) == {
        "stem_width is 40; the space allows stage1",
        "stage2.position is conditional; the space allows none",
        "stage4.width is 64; the space allows 32, 40, 48",
        "stage4.head_dim is 32; the space allows 16",
    }
    assert not tricky.contains(Architecture.from_dict(changed))


def test_equal_hidden_widths_are_one_choice(tricky: Space) -> None:
    changed = at(tricky, 0).to_dict()
    assert isinstance(changed["stages"], list)
    changed["stages"][0]["mlp_ratio"] = 2.001
    assert tricky.contains(Architecture.from_dict(changed))


def test_describe_lists_choices_with_their_context(tricky: Space) -> None:
    rows = {(row.scope, row.word, row.when): row.values for row in describe(tricky)}
    assert rows["settings", "stem_width", "stage1.width=12"] == ("stage1", 8)
    assert rows["settings", "stem_width", "stage1.width=8"] == ("stage1",)
    assert rows["stage3", "depth", "stage1.width=12"] == (1, 2, 3)
    assert rows["stage4", "width", "mixer=attention"] == (32, 48)
    assert rows["stage4", "head_dim", "mixer=attention, width=48"] == (16, 24)
    assert [row.scope for row in describe(tricky)] == sorted(row.scope for row in describe(tricky))
    assert not any(scope == "stage1" and word == "downsample_kernel" for scope, word, _ in rows)
    assert all(row.meaning for row in describe(tricky))


def test_describe_names_values_that_can_never_be(tricky: Space) -> None:
    text = tricky.text.replace("[16, 24]", "[16, 24, 9]")
    (row, *_) = [row for row in describe(parse_space(text, source="x")) if row.never]
    assert (row.word, row.never) == ("head_dim", (9,))
    assert not any(row.never for row in describe(load_space("fastvit")))
