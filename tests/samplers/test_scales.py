from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.samplers.scales import LogScale, Scale, TailScale, scale_of

COSTS = np.array([3.0, 5.0, 9.0, 20.0, 4.0, 7.5])
ACCURACIES = np.array([1.0, 60.0, 70.0, 71.0, 72.5, 73.0, 69.0])


@pytest.mark.parametrize("scale", [LogScale.of(COSTS), TailScale.of(ACCURACIES, maximise=True)])
@settings(max_examples=25, deadline=None)
@given(mean=st.floats(-2, 2), deviation=st.floats(0.01, 1.5), level=st.floats(-2.5, 2.5))
def test_the_shortfall_is_the_mean_of_draws(scale: Scale, mean: float, deviation: float, level: float) -> None:
    told = float(scale.volume(np.array([level]))[0])
    draws = scale.volume(mean + deviation * np.random.default_rng(0).standard_normal(20_000))
    found = np.maximum(told - draws, 0.0)
    expected = scale.shortfall(told, np.array([mean]), np.array([deviation]))[0]
    assert abs(expected - found.mean()) < 5 * found.std() / np.sqrt(len(found)) + 1e-3


@given(st.lists(st.floats(0.1, 1e6), min_size=3, max_size=20, unique=True))
def test_less_of_a_cost_is_better_on_every_scale(values: list[float]) -> None:
    array = np.array(sorted(values))
    for scale in (LogScale.of(array), TailScale.of(array, maximise=False)):
        assert (np.diff(scale.volume(scale.model(array))) >= 0).all()


def test_more_accuracy_is_better_and_outliers_are_drawn_in() -> None:
    scale = scale_of(ACCURACIES, maximise=True)
    modelled = scale.model(np.sort(ACCURACIES))
    assert (np.diff(modelled) < 0).all()
    # The one network that learned nothing is 59 points below the next, which are 13 above each other.
    assert (modelled[0] - modelled[1]) / (modelled[1] - modelled[-1]) < 2
    assert modelled.std() == pytest.approx(1.0)


def test_a_ratio_of_costs_is_one_distance() -> None:
    scale = scale_of(COSTS, maximise=False)
    first, second, third = scale.model(np.array([2.0, 4.0, 8.0]))
    assert second - first == pytest.approx(third - second)
    volumes = scale.volume(scale.model(np.array([2.0, 4.0, 6.0])))
    assert volumes[2] - volumes[1] == pytest.approx(volumes[1] - volumes[0])


def test_costs_that_may_be_negative_are_no_logarithms() -> None:
    assert isinstance(scale_of(np.array([-1.0, 2.0]), maximise=False), TailScale)


@pytest.mark.parametrize("values", [[5.0], [5.0, 5.0, 5.0], [0.0, 0.0]])
def test_values_that_are_all_the_same_are_fine(values: list[float]) -> None:
    for maximise in (True, False):
        scale = scale_of(np.array(values), maximise=maximise)
        assert np.isfinite(scale.volume(scale.model(np.array(values)))).all()
