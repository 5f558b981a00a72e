from __future__ import annotations

import numpy as np
import pytest

from bench.samplers.axes import Axis
from bench.samplers.chain import Chain, chosen
from bench.samplers.features import Encoder

AXES = tuple(Axis(name=str(i), values=(0, 1, 2, 3), is_ordered=False) for i in range(6))
ENCODER = Encoder(AXES)


def draws(number: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(4, size=(number, 6)).astype(float)


def full(points: np.ndarray) -> np.ndarray:
    """What a long training finds."""
    return (points == [0, 1, 2, 3, 0, 1]).sum(axis=1) - 1.5 + 0.8 * (points[:, 0] == points[:, 5])


def short(points: np.ndarray) -> np.ndarray:
    """What a short one finds: lower, on another scale, and a little different."""
    return 0.5 * full(points) - 3.0 + 0.1 * np.sin(points @ np.arange(1.0, 7.0))


def unrelated(points: np.ndarray) -> np.ndarray:
    return np.sin(points @ np.array([7.0, 1.0, 5.0, 3.0, 2.0, 9.0]))


def chain(*sources: tuple[np.ndarray, np.ndarray]) -> Chain:
    encoded = [(ENCODER(points), values) for points, values in sources]
    return Chain.fit(encoded, layout=ENCODER.layout)


def error(found: Chain) -> float:
    points = draws(300, 99)
    return float(np.sqrt(((found.mean(ENCODER(points)) - full(points)) ** 2).mean()))


def test_short_trainings_help_to_predict_long_ones() -> None:
    many, few = draws(60, 0), draws(60, 0)[:8]
    alone = error(chain((few, full(few))))
    both = error(chain((many, short(many)), (few, full(few))))
    assert both < 0.7 * alone


def test_an_earlier_task_that_says_nothing_does_little_harm() -> None:
    earlier, points = draws(80, 1), draws(50, 2)
    alone = error(chain((points, full(points))))
    misled = error(chain((earlier, unrelated(earlier)), (points, full(points))))
    assert misled < 1.2 * alone


def test_an_earlier_task_that_is_alike_helps_a_search_that_begins() -> None:
    earlier, points = draws(80, 1), draws(6, 2)
    alone = error(chain((points, full(points))))
    helped = error(chain((earlier, 2.0 * full(earlier) + 5.0), (points, full(points))))
    assert helped < 0.7 * alone


def test_a_source_without_points_is_left_out() -> None:
    points = draws(20, 3)
    nothing = (draws(0, 0), np.zeros(0))
    assert len(chain(nothing, (points, full(points)), nothing).links) == 1


def test_one_point_of_a_rung_says_where_it_lies() -> None:
    many = draws(40, 4)
    found = chain((many, short(many)), (many[:1], short(many[:1]) + 3.0))
    assert found.mean(ENCODER(many[:1]))[0] == pytest.approx(short(many[:1])[0] + 3.0)
    assert np.corrcoef(found.mean(ENCODER(many)), short(many))[0, 1] > 0.99


def test_what_is_being_tried_is_surer_and_what_is_expected_stays() -> None:
    points, pending = draws(30, 5), draws(4, 6)
    before = chain((points, full(points)))
    after = before.believing(ENCODER(pending))
    assert (after.predict(ENCODER(pending))[1] < 0.3 * before.predict(ENCODER(pending))[1]).all()
    others = ENCODER(draws(50, 7))
    assert after.mean(others) == pytest.approx(before.mean(others), abs=0.02)
    assert (after.predict(others)[1] <= before.predict(others)[1] + 1e-9).all()
    assert before.believing(ENCODER(draws(0, 0))) is before


def test_of_many_rows_the_important_are_all_there() -> None:
    rows = chosen(1000, 100)
    assert len(set(rows.tolist())) == 100
    assert set(range(50)) <= set(rows.tolist())
    assert rows.max() == 999
    assert chosen(5, 100).tolist() == [0, 1, 2, 3, 4]


def test_thousands_of_points_are_no_trouble() -> None:
    points = draws(3000, 8)
    assert error(chain((points, full(points)))) < 0.3
