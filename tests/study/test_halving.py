"""Promotion: who goes on, and that the front always does."""

from hypothesis import given
from hypothesis import strategies as st

from bench import pareto
from bench.study.halving import Rung, next_promotion, rung_images

MAXIMISE = (True, False)


def promote_all(values, *, reduction=3.0, levels=3):
    """Every promotion of the last call, as if all trainings kept their accuracy."""
    rungs = [Rung(images=1, values=values, promoted=frozenset())]
    rungs += [Rung(images=1, values={}, promoted=frozenset()) for _ in range(levels - 1)]
    while step := next_promotion(rungs, maximise=MAXIMISE, reduction=reduction, is_last_call=True):
        number, level = step
        below, above = rungs[level - 1], rungs[level]
        rungs[level - 1] = Rung(images=1, values=below.values, promoted=below.promoted | {number})
        rungs[level] = Rung(images=1, values={**above.values, number: below.values[number]}, promoted=above.promoted)
    return rungs


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=15))
def test_at_the_end_the_front_of_the_first_rung_is_trained_to_the_top(points):
    values = {number: (float(a), float(b)) for number, (a, b) in enumerate(points)}
    top = promote_all(values)[-1].values
    mask = pareto.front(list(values.values()), maximise=MAXIMISE)
    assert sorted(top) == [number for number, is_front in zip(values, mask, strict=True) if is_front]


def test_a_small_fast_inaccurate_network_goes_on():
    values = {0: (0.9, 20.0), 1: (0.8, 19.0), 2: (0.85, 19.5), 3: (0.2, 1.0)}
    assert 3 in promote_all(values)[-1].values


def test_at_the_end_who_adds_most_to_those_that_went_on_is_first():
    values = {0: (0.9, 9.0), 1: (0.5, 5.0), 2: (0.52, 5.5), 3: (0.1, 1.0), 4: (0.05, 10.0)}
    arguments = {"maximise": MAXIMISE, "reduction": 3.0, "is_last_call": True}

    def first(*promoted):
        low = Rung(images=10, values=values, promoted=frozenset(promoted))
        return next_promotion([low, Rung(images=30, values={}, promoted=frozenset())], **arguments)

    # Volumes over accuracy 0.05 and cost 10: 0.85, 2.25, 2.115 and 0.45.
    assert first() == (1, 1)
    assert first(1) == (0, 1)
    assert first(1, 0) == (3, 1), "2 adds next to nothing beside 1"
    assert first(1, 0, 3) == (2, 1)
    assert first(1, 0, 3, 2) is None


def test_before_the_end_one_in_three_goes_on_the_highest_rung_first():
    low = {number: (number / 10, 1.0) for number in range(6)}
    rungs = [
        Rung(images=10, values=low, promoted=frozenset({5})),
        Rung(images=30, values={5: (0.9, 1.0)}, promoted=frozenset()),
        Rung(images=90, values={}, promoted=frozenset()),
    ]
    arguments = {"maximise": MAXIMISE, "reduction": 3.0, "is_last_call": False}
    assert next_promotion(rungs, **arguments) == (4, 1)
    assert (
        next_promotion([Rung(images=10, values={0: (1.0, 1.0)}, promoted=frozenset()), *rungs[1:]], **arguments) is None
    )


def test_nobody_goes_on_while_as_many_have_as_may():
    """A new best waits for its place: it is not added to those that were the best before it."""
    values = {number: (number / 10, 1.0) for number in range(6)}
    arguments = {"maximise": MAXIMISE, "reduction": 3.0, "is_last_call": False}
    low = Rung(images=10, values=values, promoted=frozenset({0, 1}))
    top = Rung(images=30, values={}, promoted=frozenset())
    assert next_promotion([low, top], **arguments) is None
    more = Rung(images=10, values={**values, 6: (0.0, 2.0), 7: (0.0, 2.0), 8: (0.0, 2.0)}, promoted=low.promoted)
    assert next_promotion([more, top], **arguments) == (5, 1)
    # One that failed since gives its place back.
    left = {**{number: value for number, value in more.values.items() if number != 0}, 9: (0.0, 2.0)}
    lost = Rung(images=10, values=left, promoted=frozenset({0, 1, 5}))
    assert next_promotion([lost, top], **arguments) == (4, 1)


def test_rungs_are_whole_batches_that_rise():
    assert rung_images(8000, rungs=3, reduction=3.0, batch_size=32) == (896, 2656, 8000)
    assert rung_images(64, rungs=3, reduction=3.0, batch_size=32) == (32, 64)
    assert rung_images(8000, rungs=1, reduction=3.0, batch_size=32) == (8000,)
