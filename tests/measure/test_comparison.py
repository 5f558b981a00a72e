from __future__ import annotations

import dataclasses

import pytest

from bench.errors import MeasureError
from bench.measure import Measurement, compare, why_not_comparable

from .test_verdict import BLOCKS, session


def scaled(measurement: Measurement, factor: float) -> Measurement:
    samples = tuple(
        tuple(tuple(round(run * factor) for run in block) for block in process) for process in measurement.samples
    )
    return dataclasses.replace(measurement, label="b", samples=samples)


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.05, "slower"), (0.95, "faster"), (1.0, "equal"), (1.01, "undecided")]
)
def test_difference_is_claimed_beyond_the_margin_only(factor: float, verdict: str) -> None:
    first = session()
    found = compare(first, scaled(first, factor))
    assert found.ratio == pytest.approx(factor, rel=1e-6)
    assert found.verdict == verdict or (verdict == "undecided" and found.verdict == "equal")
    assert found.low <= found.ratio <= found.high


def test_margin_is_what_the_session_could_not_tell_apart() -> None:
    first = session(twin=1.08)
    found = compare(first, scaled(first, 1.05))
    assert found.margin == pytest.approx(0.08, abs=0.01)
    assert found.verdict == "undecided"


@pytest.mark.parametrize(("twin", "verdict"), [(1.015, "equal"), (1.03, "undecided")])
def test_a_session_that_tells_little_apart_calls_nothing_equal(twin: float, verdict: str) -> None:
    first = session(twin=twin)
    found = compare(first, scaled(first, 1.0))
    assert 1 - found.margin < found.low <= found.high < 1 + found.margin
    assert found.verdict == verdict


def test_a_pair_tells_of_how_many_restarts_it_is() -> None:
    first = session(restarts=2)
    assert compare(first, scaled(first, 1.1)).num_restarts == 2


def test_disturbed_blocks_of_either_are_left_aside() -> None:
    first = session(contended=(True, False, False, False))
    second = dataclasses.replace(scaled(first, 1.1), contended=((False, True, False, False),) * len(first.samples))
    # In the blocks that count for neither, the second is absurdly slow.
    slow = tuple(
        tuple(tuple(run * 50 for run in block) if index < 2 else block for index, block in enumerate(process))
        for process in second.samples
    )
    assert BLOCKS == 4
    assert compare(first, dataclasses.replace(second, samples=slow)).ratio == pytest.approx(1.1, rel=1e-6)


def test_measurements_of_two_sessions_are_no_pair() -> None:
    first = session()
    with pytest.raises(MeasureError, match="were timed in different sessions; only interleaved ones are pairs"):
        compare(first, dataclasses.replace(first, session="other"))
    with pytest.raises(MeasureError, match=r"'a' has no figures \(it hung\)"):
        compare(dataclasses.replace(first, verdict="failed", reason="it hung"), first)


def test_what_keeps_two_measurements_apart_is_named() -> None:
    first = dataclasses.replace(
        session(),
        architecture_id="abc",
        fingerprint={"threads": 1, "export": {"opset": 20}},
        protocol={"operators": {"Conv": 52, "Gelu": 17}},
    )
    assert why_not_comparable(first, first) == ()
    other = dataclasses.replace(
        first,
        resolution=512,
        fingerprint={"threads": 2, "export": {"opset": 18}},
        protocol={"operators": {"Conv": 52, "Erf": 17}},
    )
    assert why_not_comparable(first, other) == (
        "export.opset: 20 and 18",
        "threads: 1 and 2",
        "resolution: 256 and 512",
        "operators.Erf: None and 17",
        "operators.Gelu: 17 and None",
    )
    # Another network has other operators.
    assert len(why_not_comparable(first, dataclasses.replace(other, architecture_id="def"))) == 3
