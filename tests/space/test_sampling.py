"""Counting and drawing, against exhaustive enumeration; mutation and crossover, as properties."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from bench.errors import SpaceError
from bench.networks.cost import cost_quantities
from bench.space import (
    Architecture,
    NoneFound,
    Space,
    at,
    compose,
    count,
    cross_over,
    draw,
    estimate_valid,
    every,
    load_space,
    mutate,
    parse_space,
)
from bench.space.sampling import _below, _wilson

Costs = Callable[[Architecture], Mapping[str, float]]

# By hand, from the file in conftest.py. Stage 1 of width 8: one stem, one depth of stage 3; of width 12: two
# stems, three depths. Stage 4: RepMixer of 3 widths and 2 kernels; attention of width 32 (head 16) or 48 (heads
# 16, 24), with no position encoding or one of 2 kernels.
TRICKY_COUNT = (1 * 1 + 2 * 3) * (3 * 2 + 3 * 3)
FASTVIT = load_space("fastvit")


def chi_square_p(drawn: list[Architecture], expected: list[Architecture]) -> float:
    """The probability of counts this uneven if every expected architecture were equally likely."""
    counts = Counter(drawn)
    assert set(counts) <= set(expected)
    return float(chisquare([counts[architecture] for architecture in expected]).pvalue)


def test_count_is_exact_and_no_network_comes_twice(tricky: Space) -> None:
    everything = [at(tricky, i) for i in range(count(tricky))]
    assert count(tricky) == TRICKY_COUNT == 105
    assert len({architecture.id for architecture in everything}) == TRICKY_COUNT
    assert all(tricky.contains(architecture) for architecture in everything)
    assert everything == list(every(tricky))


def test_count_of_a_large_space_is_exact() -> None:
    # Independently by formula: per stage depth, width, ratio, kernels; attention drops a kernel, adds a position.
    outer = 6 * 6 * 3 * 3 * 3 * (6 * 6 * 3 * 3 * 3 * 3)
    stage3 = 9 * 3 * 3 * 3 * (6 * 3 + 5 * 2)  # 304 is no multiple of the head size
    stage4 = 6 * 3 * 3 * 3 * (6 * 3 + 6 * 2)
    assert count(FASTVIT) == (4 * 2 * 2) * outer * stage3 * stage4


def test_drawing_is_uniform(tricky: Space) -> None:
    random = np.random.default_rng(1)
    drawn = [draw(tricky, random) for _ in range(50 * TRICKY_COUNT)]
    assert chi_square_p(drawn, list(every(tricky))) > 0.01


def test_drawing_is_uniform_over_what_obeys_the_rules(ruled: Space, costs: Costs) -> None:
    random = np.random.default_rng(2)
    valid = list(every(ruled, costs))
    assert 0 < len(valid) < TRICKY_COUNT
    assert chi_square_p([draw(ruled, random, costs) for _ in range(50 * len(valid))], valid) > 0.01


def test_choosing_evenly_at_every_decision_is_not_uniform(tricky: Space) -> None:
    # The control of the two tests above: the naive way of drawing fails them.
    random = np.random.default_rng(3)
    naive = [
        compose(tricky, lambda decision: int(random.integers(len(decision.choices)))) for _ in range(50 * TRICKY_COUNT)
    ]
    assert chi_square_p(naive, list(every(tricky))) < 1e-6


def test_large_integers_are_uniform() -> None:
    random = np.random.default_rng(4)
    bound = 3 << 70  # beyond 64 bits, three quarters of its bit range
    thirds = Counter(_below(random, bound) >> 70 for _ in range(3000))
    assert set(thirds) == {0, 1, 2}
    assert chisquare(list(thirds.values())).pvalue > 0.01
    assert {_below(random, 1) for _ in range(5)} == {0}


def test_same_seed_same_draws() -> None:
    def names(seed: int) -> list[str]:
        random = np.random.default_rng(seed)
        return [draw(FASTVIT.with_rules([]), random, lambda _: {"params_m": 1, "macs_g": 1}).id for _ in range(5)]

    assert names(5) == names(5)
    assert names(5) != names(6)


def test_an_index_out_of_range_is_named(tricky: Space) -> None:
    with pytest.raises(SpaceError, match=r"index is 105; tricky has 105 architectures; use 0 to 104"):
        at(tricky, 105)
    with pytest.raises(SpaceError, match=r"index is -1"):
        at(tricky, -1)


def test_a_small_space_is_counted_and_a_large_one_estimated(ruled: Space, costs: Costs) -> None:
    valid = sum(1 for _ in every(ruled, costs))
    exact = estimate_valid(ruled, costs)
    assert (exact.estimate, exact.low, exact.high, exact.is_exact) == (valid, valid, valid, True)
    estimate = estimate_valid(ruled, costs, samples=100, seed=7)
    assert not estimate.is_exact
    assert estimate.low < valid < estimate.high
    assert estimate == estimate_valid(ruled, costs, samples=100, seed=7)


def test_a_space_without_rules_is_counted() -> None:
    space = parse_space("name: a\nfamily: fastvit\nevery_stage: {depth: [1, 2], width: 16, mlp_ratio: 2}\n", source="a")
    assert estimate_valid(space, samples=3).estimate == 16


def test_the_interval_is_wilsons() -> None:
    # R: prop.test(8, 10, correct = FALSE)$conf.int
    assert _wilson(8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert _wilson(0, 10)[0] == pytest.approx(0.0)
    assert _wilson(10, 10)[1] == pytest.approx(1.0)


def test_rules_that_nothing_obeys_are_named(tricky: Space, costs: Costs) -> None:
    random = np.random.default_rng(8)
    with pytest.raises(NoneFound, match=r"of 50 tries in space 'tricky' obeys the rules, 50 broke 'sum.depth. < 1'"):
        draw(tricky.with_rules(["sum(depth) < 1"]), random, max_tries=50)
    with pytest.raises(SpaceError, match=r"50 broke 'macs_g < 1'; allowed: .*; loosen that rule"):
        draw(tricky.with_rules(["macs_g < 1"]), random, costs, max_tries=50)


def test_costs_are_computed_only_where_all_other_rules_hold(tricky: Space) -> None:
    asked: list[Architecture] = []

    def costs(architecture: Architecture) -> Mapping[str, float]:
        asked.append(architecture)
        return {"params_m": 1.0, "macs_g": 1.0}

    random = np.random.default_rng(9)
    draw(tricky.with_rules(["stage1.width == 8", "macs_g < 2"]), random, costs)
    assert len(asked) == 1
    draw(tricky.with_rules(["stage1.width == 8"]), random, costs)
    assert len(asked) == 1


def test_a_rule_on_costs_needs_costs(tricky: Space) -> None:
    with pytest.raises(SpaceError, match=r"rule 'macs_g < 1' reads a cost and no cost function is given") as caught:
        draw(tricky.with_rules(["macs_g < 1"]), np.random.default_rng(10))
    assert not isinstance(caught.value, NoneFound)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(seed=st.integers(0, 2**32), picks=st.tuples(st.integers(0), st.integers(0)))
def test_children_are_valid(ruled: Space, costs: Costs, seed: int, picks: tuple[int, int]) -> None:
    random = np.random.default_rng(seed)
    valid = list(every(ruled, costs))
    mother, father = (valid[pick % len(valid)] for pick in picks)
    mutant = mutate(ruled, mother, random, costs)
    child = cross_over(ruled, mother, father, random, costs)
    assert mutant != mother
    assert {mutant, child} <= set(valid)


def test_parents_without_valid_children_are_named(tricky: Space) -> None:
    space = tricky.with_rules(["stage1.width == 8"])
    parent = at(tricky, count(tricky) - 1)
    assert parent.stages[0]["width"] == 12
    with pytest.raises(SpaceError, match=r"2000 broke 'stage1\.width == 8'; allowed: rules that leave"):
        cross_over(space, parent, parent, np.random.default_rng(16))


def test_mutation_reaches_every_architecture(ruled: Space, costs: Costs) -> None:
    random = np.random.default_rng(11)
    start = next(every(ruled, costs))
    reached = {mutate(ruled, start, random, costs) for _ in range(10_000)} | {start}
    assert reached == set(every(ruled, costs))


def test_mutation_changes_few_words() -> None:
    random = np.random.default_rng(12)
    start = FASTVIT.reference_points["fastvit_s12"]
    plain = FASTVIT.with_rules([])
    changed = []
    for _ in range(200):
        mutant = mutate(plain, start, random, lambda _: {"params_m": 1, "macs_g": 1})
        pairs = zip(mutant.stages, start.stages, strict=True)
        changed.append(sum(one.get(word) != two.get(word) for one, two in pairs for word in {**one, **two}))
    assert 1 <= np.mean(changed) <= 4


def test_a_child_takes_words_of_both_parents(tricky: Space) -> None:
    random = np.random.default_rng(13)
    mother, father = at(tricky, 0), at(tricky, count(tricky) - 1)
    children = {cross_over(tricky, mother, father, random) for _ in range(300)}
    assert {mother, father} <= children
    assert len(children) > 10
    assert cross_over(tricky, mother, mother, random) == mother


def test_parents_may_lie_outside_the_choices(tricky: Space) -> None:
    random = np.random.default_rng(14)
    outside = FASTVIT.reference_points["fastvit_sa12"]
    assert not tricky.contains(outside)
    for child in (mutate(tricky, outside, random), cross_over(tricky, outside, outside, random)):
        assert tricky.contains(child)
    # The nearest number is taken: 512 is nearest to 48.
    assert cross_over(tricky, outside, outside, random).stages[3]["width"] == 48


def test_the_only_architecture_has_no_mutant() -> None:
    text = "name: one\nfamily: fastvit\nevery_stage: {depth: 1, width: 16, mlp_ratio: 2}\n"
    space = parse_space(text, source="one")
    with pytest.raises(SpaceError, match=r"no try of 20 gave another architecture of 'one'; .*; widen the choices"):
        mutate(space, at(space, 0), np.random.default_rng(15), max_tries=20)


@pytest.mark.parametrize("rules", [[], ["params_m <= 40"]])
def test_what_cannot_be_built_is_neither_drawn_nor_counted(uneven: Space, rules: list[str]) -> None:
    """Stage 2 of 28 x 28 has no eighth: two of the eight descriptions have no network, and no cost is asked of them."""
    space = uneven.with_rules(rules)
    random = np.random.default_rng(17)
    valid = list(every(space, cost_quantities))
    assert (len(valid), count(space)) == (6, 8)
    assert estimate_valid(space, cost_quantities) == estimate_valid(space, cost_quantities, samples=8)
    assert estimate_valid(space, cost_quantities).estimate == 6
    assert 4 < estimate_valid(space, cost_quantities, samples=7, seed=1).high <= 8
    assert chi_square_p([draw(space, random, cost_quantities) for _ in range(300)], valid) > 0.01
    children = {mutate(space, mother, random, cost_quantities) for mother in valid for _ in range(20)}
    children |= {cross_over(space, m, f, random, cost_quantities) for m in valid for f in valid for _ in range(3)}
    assert children == set(valid)


@pytest.mark.parametrize("rules", [[], ["params_m <= 40"]])
def test_a_space_of_which_nothing_can_be_built_says_so(uneven: Space, rules: list[str]) -> None:
    text = uneven.text.replace("[192, 224]", "224").replace("[1, 8]", "8")
    space = parse_space(text, source="uneven.yaml").with_rules(rules)
    message = (
        "no architecture of 30 tries in space 'uneven' can be built, 30 broke 'stage2.reduction divides the side of "
        "its feature map, input_resolution / 8'; allowed: what every cmt obeys; change the choices of these words"
    )
    with pytest.raises(NoneFound) as caught:
        draw(space, np.random.default_rng(18), cost_quantities, max_tries=30)
    assert str(caught.value) == message
    assert estimate_valid(space, cost_quantities).estimate == 0


def test_only_the_last_stages_of_an_efficientnet_are_left_out() -> None:
    stages = ", ".join(["{block: [fused, none]}"] * 3 + ["{block: none}"] * 4)
    text = f"""
name: gaps
family: efficientnet
every_stage: {{depth: 1, width: 8, stride: 1, expansion: 1}}
stages: [{stages}]
"""
    space = parse_space(text, source="gaps.yaml")
    found = [["none" if "width" not in stage else "there" for stage in network.stages] for network in every(space)]
    assert count(space) == 8
    assert sorted(stages[:3].count("there") for stages in found) == [1, 2, 3]
    assert all(stages == sorted(stages, reverse=True) for stages in found)
