from __future__ import annotations

import numpy as np
import pytest

from bench.samplers.axes import Axis
from bench.samplers.features import Encoder, known_columns

OPS = ("none", "skip", "conv")
WORDS = tuple(Axis(name=f"op{i}", values=OPS, is_ordered=False) for i in range(3))
DEPTH = Axis(name="depth", values=(1, 2, 3, 4), is_ordered=True)


def squares(encoder: Encoder, first: list[float], second: list[float]) -> np.ndarray:
    """Squared distances by group."""
    apart = np.diff(encoder(np.array([first, second])), axis=0)[0] ** 2
    return np.bincount(encoder.layout.groups, weights=apart)


def test_choices_without_order_are_at_distance_one() -> None:
    encoder = Encoder((WORDS[0], Axis(name="other", values=(1, 2), is_ordered=False)))
    assert squares(encoder, [0, 0], [2, 0]) == pytest.approx([1, 0])
    assert squares(encoder, [0, 0], [1, 1]) == pytest.approx([1, 1])
    assert encoder.layout.is_axis == (True, True)


def test_ordered_choices_are_as_far_apart_as_their_places() -> None:
    encoder = Encoder((DEPTH,))
    assert squares(encoder, [0.0], [1.0]) == pytest.approx([1])
    assert squares(encoder, [0.0], [1 / 3]) == pytest.approx([1 / 9])


def test_what_does_not_apply_is_unlike_what_does() -> None:
    encoder = Encoder((WORDS[0], DEPTH))
    apart = squares(encoder, [np.nan, np.nan], [0, 0.0])
    assert apart[0] == pytest.approx(0.5)
    assert apart[1] >= 1
    assert squares(encoder, [np.nan, np.nan], [np.nan, np.nan]) == pytest.approx([0, 0])


def test_axes_with_the_same_choices_are_tallied() -> None:
    encoder = Encoder((*WORDS, DEPTH))
    assert encoder.layout.is_axis == (True, True, True, True, False)
    # The same answers in another order: the tallies cannot tell them apart.
    assert squares(encoder, [0, 1, 2, 0.0], [2, 0, 1, 0.0])[4] == pytest.approx(0)
    assert squares(encoder, [0, 0, 0, 0.0], [2, 2, 2, 0.0])[4] > 1


def test_tallies_of_uniform_draws_have_unit_variance() -> None:
    random = np.random.default_rng(0)
    ordered = tuple(Axis(name=f"depth{i}", values=(1, 2, 3, 4), is_ordered=True) for i in range(4))
    encoder = Encoder((*WORDS, *ordered))
    points = np.hstack([random.integers(3, size=(4000, 3)), random.integers(4, size=(4000, 4)) / 3])
    tallies = encoder(points.astype(float))[:, encoder.layout.groups >= 7]
    assert tallies.shape == (4000, 4)
    assert tallies.std(axis=0) == pytest.approx(np.ones(4), abs=0.05)


def test_known_costs_count_by_ratio_unless_they_may_be_zero() -> None:
    values = np.array([[1.0, 0.0], [2.0, 1.0], [4.0, 2.0]])
    found = known_columns(values)(values)
    assert found.mean(axis=0) == pytest.approx([0, 0])
    assert np.diff(found, n=2, axis=0)[0] == pytest.approx([0, 0])
    assert np.isfinite(known_columns(np.ones((3, 1)))(np.ones((3, 1)))).all()
