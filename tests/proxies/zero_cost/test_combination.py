from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import SearchError
from bench.proxies.zero_cost import PARTS, combine, standards_of
from bench.proxies.zero_cost.combination import combine_at_size, size_standards_of

numbers = st.floats(0.01, 1e6)
feature_rows = st.fixed_dictionaries(dict.fromkeys(PARTS, numbers))


@given(st.lists(feature_rows, min_size=1, max_size=12), feature_rows, st.sampled_from(PARTS), st.floats(1.001, 100))
def test_more_of_a_part_is_never_worse(
    drawn: list[dict[str, float]], row: dict[str, float], part: str, factor: float
) -> None:
    standards = standards_of(drawn)
    low, high = combine(row, standards), combine({**row, part: row[part] * factor}, standards)
    assert 0.0 <= low <= high <= 1.0


@given(st.lists(feature_rows, min_size=4, max_size=12))
def test_the_score_says_where_a_network_lies_in_its_space(drawn: list[dict[str, float]]) -> None:
    standards = standards_of(drawn)
    middle = {name: standards[name][0] for name in PARTS}
    middle["macs_g"] = math.exp(middle["macs_g"])
    assert combine(middle, standards) == pytest.approx(0.5)


def test_units_do_not_count() -> None:
    drawn = [{"naswot": 10.0 * i, "macs_g": 1.5**i} for i in range(1, 9)]
    scaled = [{"naswot": 3 * row["naswot"] + 7, "macs_g": 1e9 * row["macs_g"]} for row in drawn]
    before = [combine(row, standards_of(drawn)) for row in drawn]
    assert [combine(row, standards_of(scaled)) for row in scaled] == pytest.approx(before)
    assert before == sorted(before)


def test_a_part_in_which_all_are_alike_decides_only_for_those_that_differ() -> None:
    drawn = [{"naswot": 5.0, "macs_g": 1.0}] * 3
    assert combine(drawn[0], standards_of(drawn)) == 0.5
    assert combine({**drawn[0], "naswot": 6.0}, standards_of(drawn)) == pytest.approx(3 / 4)


def test_what_is_not_finite_is_left_out_of_the_standards_and_told_if_it_is_all() -> None:
    fine = {"naswot": 5.0, "macs_g": 1.0}
    broken = {**fine, "naswot": -math.inf}
    assert standards_of([fine, broken]) == standards_of([fine])
    assert combine(broken, standards_of([fine])) < 0.5
    with pytest.raises(SearchError, match="naswot is not finite for any of 2 networks"):
        standards_of([broken, broken])


def at_size(size: float, *, above: float = 0.0) -> dict[str, float]:
    """A network that lies on the usual line over the logarithm of its multiply-adds, or above it."""
    return {"macs_g": size, "naswot": 900.0 + 80.0 * math.log(size) + 9.0 * above}


def test_a_small_network_is_usual_among_those_of_its_size() -> None:
    drawn = [at_size(0.2 * 1.3**step, above=1.0 - step % 3) for step in range(24)]
    standards = size_standards_of(drawn)
    for size in (0.05, 0.5, 50.0):
        middle, better, worse = (combine_at_size(at_size(size, above=above), standards) for above in (0.0, 1.5, -1.5))
        assert middle == pytest.approx(0.5, abs=0.1)
        assert better > 0.8
        assert worse < 0.2


def test_networks_of_one_size_are_told_by_their_median() -> None:
    standards = size_standards_of([at_size(1.0, above=above) for above in (-1.0, 0.0, 1.0)])
    assert combine_at_size(at_size(1.0), standards) == pytest.approx(0.5)
    assert standards["naswot"][0] == 0.0


def test_what_is_finite_nowhere_cannot_be_told_at_size_either() -> None:
    fine, broken = at_size(1.0), {**at_size(1.0), "naswot": -math.inf}
    assert size_standards_of([fine, broken])["naswot"] == size_standards_of([fine])["naswot"]
    with pytest.raises(SearchError, match="naswot is not finite for any of 1 networks"):
        size_standards_of([broken])
