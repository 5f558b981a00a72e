"""Several spaces searched as one."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest

from bench.errors import SpaceError
from bench.networks.cost import cost_quantities
from bench.space import (
    Architecture,
    Decision,
    NoneFound,
    Space,
    SpaceUnion,
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
    load_space,
    mutate,
    parse_space,
    unite,
)

OTHER = """
name: other
family: mobileone
settings: {input_resolution: 64, stem_width: 8}
every_stage: {depth: 1, kernel: [3, 5]}
stages: [{width: 8}, {width: 16}, {width: 16}, {width: [16, 24]}]
rules: ['params_m <= 1']
reference_points:
  small: {depth: 1, width: [8, 16, 16, 16], input_resolution: 64, stem_width: 8}
"""


@pytest.fixture(scope="module")
def union() -> Space:
    return unite([load_space("smoke"), parse_space(OTHER, source="other.yaml")])


def test_a_union_has_what_its_parts_have(union: Space) -> None:
    smoke, other = load_space("smoke"), parse_space(OTHER, source="other.yaml")
    assert isinstance(union, SpaceUnion)
    assert union.name == "smoke+other"
    assert count(union) == count(smoke) + count(other) == 96 + 32
    assert {architecture.id for architecture in every(union, cost_quantities)} == {
        *(architecture.id for architecture in every(smoke, cost_quantities)),
        *(architecture.id for architecture in every(other, cost_quantities)),
    }
    assert len({at(union, index).id for index in range(count(union))}) == count(union)
    assert list(union.reference_points) == [*smoke.reference_points, "small"]
    assert estimate_valid(union, cost_quantities).estimate == 56 + 32
    assert {row.scope.partition(":")[0] for row in describe(union)} == {"smoke", "other"}


def test_names_with_commas_load_as_one_and_survive_their_text() -> None:
    union = load_space("smoke,mobileone").with_rules(["params_m <= 3"])
    again = parse_space(union.text, source="stored")
    assert isinstance(again, SpaceUnion)
    assert again == union
    assert again.text == union.text
    assert [part.name for part in again.parts] == ["smoke", "mobileone"]
    assert all("params_m <= 3" in part.rules for part in again.parts)
    assert copy.deepcopy(union) == union
    assert union != load_space("smoke,mobileone")


def test_an_error_in_a_part_is_told_with_its_line() -> None:
    text = load_space("smoke").text + "--- # another space\n" + OTHER.replace("depth: 1", "dept: 1", 1)
    line = text[: text.index("dept:")].count("\n") + 1
    begin = text[: text.index("--- # another")].count("\n") + 2
    with pytest.raises(SpaceError, match=rf"stored from line {begin}, line {line - begin + 1}: unknown key 'dept'"):
        parse_space(text, source="stored")


def test_a_rule_that_a_part_cannot_read_is_refused_by_its_name() -> None:
    with pytest.raises(SpaceError, match="in space 'other'; a rule holds in all that are searched"):
        unite([load_space("smoke"), parse_space(OTHER, source="other.yaml")]).with_rules(["stage4.mixer == attention"])


def test_two_spaces_of_one_family_are_refused() -> None:
    with pytest.raises(SpaceError, match="'smoke' and 'fastvit' are both of family fastvit"):
        load_space("smoke,fastvit")


def test_decisions_is_the_inverse_of_compose(union: Space) -> None:
    for architecture in every(union, cost_quantities):
        chosen = decisions(union, architecture)
        assert compose(union, lambda decision, chosen=chosen: chosen[decision.name]) == architecture  # type: ignore[misc]
    first, *others = all_decisions(union)
    assert first == Decision(name="space", choices=("smoke", "other"), is_ordered=False)
    assert len({decision.name for decision in others}) == len(others)


def test_every_part_is_drawn_as_often_and_evenly_within(union: Space) -> None:
    random = np.random.default_rng(0)
    drawn = [draw(union, random, cost_quantities) for _ in range(2000)]
    families = Counter(architecture.family for architecture in drawn)
    assert abs(families["mobileone"] - 1000) < 4 * np.sqrt(500)
    of_other = Counter(architecture.id for architecture in drawn if architecture.family == "mobileone")
    expected = families["mobileone"] / 32
    assert len(of_other) == 32
    assert sum((found - expected) ** 2 / expected for found in of_other.values()) < 62  # chi-square, 31, 0.999


def test_a_part_that_the_rules_leave_empty_gives_its_turn_away(union: Space) -> None:
    ruled = union.with_rules(["params_m <= 0.01 or stage1.width == 8"])
    empty = unite([load_space("smoke").with_rules(["params_m <= 0.0001"]), parse_space(OTHER, source="other.yaml")])
    random = np.random.default_rng(0)
    found = {draw(empty, random, cost_quantities, max_tries=50).family for _ in range(10)}
    assert found == {"mobileone"}
    assert not ruled.broken_rules(draw(ruled, random, cost_quantities), cost_quantities)


def empty_union() -> Space:
    other = parse_space(OTHER, source="other.yaml")
    return unite([load_space("smoke").with_rules(["params_m <= 0.0001"]), other])


def test_an_empty_part_is_tried_once() -> None:
    asked: list[str] = []

    def costs(architecture: Architecture) -> Mapping[str, float]:
        asked.append(architecture.family)
        return cost_quantities(architecture)

    space, random = empty_union(), np.random.default_rng(0)
    for _ in range(20):
        draw(space, random, costs, max_tries=50)
    # As often as one round of tries, of which some break the rule that needs no costs.
    assert 0 < asked.count("fastvit") <= 50


def test_what_is_drawn_does_not_depend_on_what_was_drawn_before() -> None:
    """A study that is taken up again begins with a space that has drawn nothing yet."""
    used = empty_union()
    for seed in range(5):
        drawn = draw(used, np.random.default_rng(seed), cost_quantities, max_tries=50)
        assert drawn == draw(empty_union(), np.random.default_rng(seed), cost_quantities, max_tries=50)


def test_a_union_without_anything_to_draw_says_why(union: Space) -> None:
    with pytest.raises(NoneFound, match=r"in space 'smoke' obeys the rules, \d+ broke 'params_m <= 0.0001'"):
        draw(union.with_rules(["params_m <= 0.0001"]), np.random.default_rng(0), cost_quantities, max_tries=50)


def test_an_error_of_a_rule_is_not_taken_for_an_empty_part(union: Space) -> None:
    with pytest.raises(SpaceError, match="reads a latency; only a search on a calibrated runner knows one") as caught:
        draw(union.with_rules(["latency_ms <= 5"]), np.random.default_rng(0), cost_quantities, max_tries=50)
    assert not isinstance(caught.value, NoneFound)


def test_children_stay_in_the_family_of_their_parents(union: Space) -> None:
    random = np.random.default_rng(1)
    one, other = (list(every(part, cost_quantities)) for part in (load_space("smoke"), parse_space(OTHER, source="o")))
    for _ in range(20):
        child = mutate(union, other[0], random, cost_quantities)
        assert child.family == "mobileone"
        assert child != other[0]
        assert cross_over(union, one[0], one[5], random, cost_quantities).family == "fastvit"
        assert cross_over(union, one[0], other[0], random, cost_quantities) in (one[0], other[0])


def test_features_tell_the_space_and_are_zero_elsewhere(union: Space) -> None:
    smoke, other = load_space("smoke"), parse_space(OTHER, source="other.yaml")
    mixed = [at(union, 0), at(union, count(union) - 1)]
    columns, names = features(union, mixed), feature_names(union)
    assert columns.shape == (2, len(names)) == (2, 2 + len(feature_names(smoke)) + len(feature_names(other)))
    assert names[:2] == ("space=smoke", "space=other")
    assert columns[:, :2].tolist() == [[1, 0], [0, 1]]
    ours = [place for place, name in enumerate(names) if name.startswith("smoke: ")]
    assert columns[0, ours].tolist() == features(smoke, [mixed[0]])[0].tolist()
    assert not columns[1, ours].any()


def test_an_architecture_of_another_family_is_outside(union: Space) -> None:
    foreign = load_space("convnext").reference_points["convnext_t"]
    assert union.outside(foreign) == ("its family is convnext; the spaces are of fastvit, mobileone",)
    with pytest.raises(SpaceError, match="the architecture is of family convnext; the spaces are of"):
        decisions(union, foreign)
    assert isinstance(foreign, Architecture)
