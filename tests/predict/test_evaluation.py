from __future__ import annotations

import pytest

from bench.errors import MeasureError
from bench.predict import cross_validate, hold_out, observations

from .rooflines import drawn, latencies_ms

KNOWN, UNSEEN = drawn(60), drawn(60, seed=1)


def test_the_error_on_unseen_networks_is_half_of_that_of_macs() -> None:
    found = hold_out(
        observations(KNOWN, latencies_ms(KNOWN, noise=0.02), None),
        observations(UNSEEN, latencies_ms(UNSEEN, noise=0.02, seed=1), None),
    )
    assert (found.num_learned, found.num_held_out) == (60, 60)
    assert found.median_error <= 0.03
    assert found.median_error <= 0.5 * found.median_error_of_macs
    assert found.median_error <= found.p90_error
    assert 0.8 <= found.coverage <= 1


def test_cross_validation_tells_about_what_holding_out_does() -> None:
    values = latencies_ms(KNOWN, noise=0.02)
    found = cross_validate(KNOWN, values, folds=6, seed=3)
    assert (found.num_learned, found.num_held_out) == (50, 60)
    assert 0.005 < found.median_error < 0.03
    assert 0.8 <= found.coverage <= 1
    assert found == cross_validate(KNOWN, values, folds=6, seed=3)


def test_repeats_of_an_architecture_stay_in_one_part() -> None:
    values = latencies_ms(KNOWN, noise=0.02)
    once = cross_validate(KNOWN, values)
    assert cross_validate(KNOWN * 2, [*values, *values]).num_held_out == once.num_held_out == 60


def test_macs_are_judged_by_their_best_fit() -> None:
    # A runner whose time is multiply-adds and nothing else: there they are as good as anything.
    from bench.networks import costs

    values = [costs(architecture).macs / 1e7 for architecture in KNOWN]
    assert cross_validate(KNOWN, values).median_error_of_macs < 1e-6


def test_the_error_reads_as_a_sentence() -> None:
    text = str(cross_validate(KNOWN, latencies_ms(KNOWN, noise=0.02)))
    assert "median error " in text
    assert "on 60 held-out architectures" in text
    assert "by multiply-adds alone" in text


def test_one_fold_is_refused() -> None:
    with pytest.raises(MeasureError, match=r"1 folds; at least 2 are needed; give how many"):
        cross_validate(KNOWN, latencies_ms(KNOWN), folds=1)
