from __future__ import annotations

from typing import Any

import numpy as np

from bench import pareto
from bench.samplers.axes import Axis, Candidates
from bench.samplers.features import Encoder
from bench.samplers.model import Model
from bench.samplers.observations import EarlierTask, Observations

AXES = tuple(Axis(name=str(i), values=(0, 1, 2), is_ordered=False) for i in range(5))
ENCODER = Encoder(AXES)
ALL = np.array(np.meshgrid(*[range(3)] * 5)).reshape(5, -1).T.astype(float)


def accuracy(points: np.ndarray) -> np.ndarray:
    return 60 + points @ [1.3, 0.7, 0.9, 0.4, 1.1] + (points[:, 0] == points[:, 1])


def cost(points: np.ndarray) -> np.ndarray:
    return 2.0 ** (points @ [0.9, 0.6, 1.2, 0.5, 1.0])


def points(number: int, seed: int = 0) -> np.ndarray:
    return ALL[np.random.default_rng(seed).permutation(len(ALL))[:number]]


def observed(tried: np.ndarray, **more: Any) -> Observations:
    nothing = ENCODER(tried[:0])
    fields = {"pending": nothing, "failed": nothing, **more}
    scores = np.column_stack([accuracy(tried), cost(tried)])[None]
    return Observations(columns=ENCODER(tried), scores=scores, maximise=(True, False), **fields)


def gains(observations: Observations, candidates: np.ndarray = ALL, **exact: np.ndarray) -> np.ndarray:
    model = Model.fit(observations, layout=ENCODER.layout)
    known = {int(name[1:]): values for name, values in exact.items()}
    return model.gain(Candidates(columns=ENCODER(candidates), exact=known, params=[{}] * len(candidates)))


def test_what_promises_most_is_worth_trying() -> None:
    tried = points(40)
    left = np.array([point for point in ALL if not (tried == point).all(axis=1).any()])
    reference = [accuracy(tried).min(), cost(tried).max()]

    def volume(found: np.ndarray) -> float:
        values = np.column_stack([accuracy(found), cost(found)])
        return pareto.hypervolume(values, reference, maximise=(True, False))

    true = np.array([volume(np.vstack([tried, point])) for point in left]) - volume(tried)
    promised = np.argsort(-gains(observed(tried), left))
    assert true[promised[:10]].mean() > 5 * true.mean()


def test_what_is_being_tried_is_not_worth_trying_again() -> None:
    tried = points(30)
    alone = gains(observed(tried))
    best = int(np.argmax(alone))
    beside = gains(observed(tried, pending=ENCODER(ALL[[best]])))
    assert beside[best] < 0.2 * alone[best]


def test_with_doubt_what_is_little_known_is_worth_more() -> None:
    """With the same model: where nothing was tried the promise grows more."""
    near = ALL[ALL[:, 0] == 0]
    tried = near[np.random.default_rng(0).permutation(len(near))[:40]]
    model = Model.fit(observed(tried), layout=ENCODER.layout)
    left = np.array([point for point in ALL if not (tried == point).all(axis=1).any()])
    candidates = Candidates(columns=ENCODER(left), exact={}, params=[{}] * len(left))
    usual, doubtful = model.gain(candidates), model.gain(candidates, doubt=3.0)
    is_far = left[:, 0] > 0
    assert doubtful[is_far].sum() / doubtful.sum() > usual[is_far].sum() / usual.sum()


def test_a_cost_that_is_known_is_used_as_it_is() -> None:
    tried = points(30)
    exact = gains(observed(tried, exact={1: np.zeros(0)}), _1=cost(ALL))
    # A model would be sure of neither: one is as cheap as the cheapest, all others are beyond every use.
    wrong = gains(observed(tried, exact={1: np.zeros(0)}), _1=np.r_[np.full(len(ALL) - 1, 1e6), 1.0])
    assert exact.max() > 0
    assert np.argmax(wrong) == len(ALL) - 1


def test_where_trials_fail_none_is_made_while_there_are_others() -> None:
    tried = points(60)
    fails = tried[:, 0] == 2
    before = gains(observed(tried[~fails]))
    after = gains(observed(tried[~fails], failed=ENCODER(tried[fails])))
    share = after / np.maximum(before, 1e-300)
    assert np.median(share[ALL[:, 0] == 2]) < 0.6
    assert np.median(share[ALL[:, 0] != 2]) > 0.65


def test_what_breaks_a_constraint_is_not_worth_trying() -> None:
    tried = points(60)
    limit = cost(tried)[:, None] - 12.0
    free, bound = gains(observed(tried)), gains(observed(tried, constraints=limit))
    over, under = cost(ALL) > 40, cost(ALL) < 8
    assert bound[over].sum() < 0.1 * free[over].sum()
    # What is allowed gains at least as much: what breaks the constraint dominates nothing any more.
    assert (bound[under] > 0.5 * free[under]).mean() > 0.9


def test_an_earlier_search_moves_the_first_steps() -> None:
    tried, earlier = points(5), points(80, seed=1)
    task = EarlierTask(
        columns=ENCODER(earlier), values=np.column_stack([accuracy(earlier) - 20, np.full(len(earlier), np.nan)])
    )
    better = np.argsort(-accuracy(ALL))[:40]
    blind, told = gains(observed(tried)), gains(observed(tried, earlier=(task,)))
    assert told[better].sum() / told.sum() > blind[better].sum() / blind.sum()


def test_the_order_in_which_trials_ended_changes_nothing() -> None:
    tried = points(30)
    first, second = gains(observed(tried)), gains(observed(tried[::-1]))
    assert np.allclose(first, second, rtol=1e-3, atol=1e-6 * first.max())
