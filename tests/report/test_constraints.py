from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import ConfigError
from bench.report.constraints import Constraint, read_constraint
from bench.report.feasible import limits_of


@given(
    st.sampled_from(("latency_ms", "latency_ms:pi-5.b", "params_m")),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_a_constraint_is_read_back_from_its_text(figure: str, is_upper: bool, bound: float) -> None:
    found = Constraint(figure=figure, is_upper=is_upper, bound=bound)
    assert read_constraint(found.text) == found


def test_spaces_do_not_matter() -> None:
    assert read_constraint(" latency_ms<=12 ").text == read_constraint("latency_ms <= 12.0").text == "latency_ms <= 12"


@pytest.mark.parametrize(
    "text", ["latency_ms", "latency_ms < 12", "12 >= latency_ms", "latency_ms <= 1.2.3", "a<=b", ""]
)
def test_what_is_no_bound_of_a_figure_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="a figure, <= or >=, and a number are needed; such as 'latency_ms <= 12'"):
        read_constraint(text)


def test_the_excess_is_a_share_of_the_bound() -> None:
    upper, lower = read_constraint("latency_ms<=10"), read_constraint("accuracy>=0.5")
    assert upper.excess({"latency_ms": 12.0}) == pytest.approx(0.2)
    assert upper.excess({"latency_ms": 10.0}) == 0.0
    assert lower.excess({"accuracy": 0.6}) == pytest.approx(-0.2)
    assert read_constraint("accuracy>=0").excess({"accuracy": -2.0}) == 2.0
    assert math.isnan(upper.excess({}))


def test_limits_are_rules_of_figures_and_constraints() -> None:
    limits = limits_of({"rules": ["macs_g <= 1", "non_decreasing(width)"], "constraints": ["accuracy >= 0.5", "odd"]})
    assert limits.broken({"macs_g": 2.0}) == "macs_g <= 1"
    assert limits.broken({"macs_g": 1.0, "accuracy": 0.4}) == "accuracy >= 0.5"
    assert limits.broken({"macs_g": 1.0, "accuracy": 0.5}) is None
    assert limits.broken({}) is None
    assert limits
    assert not limits_of({})
