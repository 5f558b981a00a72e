from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from bench.errors import MeasureError
from bench.measure import fingerprint
from bench.predict import calibrate, comparable_ms, fit_from_store, usable
from bench.space import Architecture

from .rooflines import drawn, latencies_ms

HERE = fingerprint(runner="cpu", runtime="onnxruntime", threads=1)
ELSEWHERE = {**HERE, "machine": {**HERE["machine"], "cpu": "Another CPU"}}
NETWORKS = drawn(24)


@dataclass(frozen=True)
class Record:
    """A stored measurement, as far as it is read."""

    architecture_id: str | None
    summary: Mapping[str, Any]
    protocol: Mapping[str, Any]
    fingerprint: Mapping[str, Any]
    verdict: str = "valid"
    resolution: int = 256


def record(architecture: Architecture, *, ratio: float = 1.5, reference_ms: float = 10.0, **rest: Any) -> Record:
    summary = {
        "ratio_to_reference": ratio,
        "ratio_low": ratio / 1.03,
        "ratio_high": ratio * 1.03,
        "median_ms": ratio * reference_ms,
    }
    told = {"protocol": {"architecture": architecture.to_dict()}, "fingerprint": HERE, **rest}
    return Record(architecture_id=architecture.id, summary=summary, **told)


def test_a_sample_has_the_ratio_and_how_sure_it_is() -> None:
    (sample,) = usable([record(NETWORKS[0], ratio=2.0, reference_ms=12.0)], HERE)
    assert sample.architecture == NETWORKS[0]
    assert (sample.ratio, sample.resolution) == (2.0, 256)
    assert sample.noise == pytest.approx(0.03)
    assert sample.reference_ms == pytest.approx(12.0)


@pytest.mark.parametrize("verdict", ["failed", "wrong_output", "partial_placement", "throttled"])
def test_what_was_not_timed_as_asked_is_left_out(verdict: str) -> None:
    bad = replace(record(NETWORKS[1]), verdict=verdict, summary={})
    assert len(usable([record(NETWORKS[0]), bad], HERE)) == 1


@pytest.mark.parametrize("verdict", ["valid", "noisy", "not_converged", "contended"])
def test_a_disturbed_measurement_is_used_with_its_interval(verdict: str) -> None:
    assert len(usable([record(NETWORKS[0], verdict=verdict)], HERE)) == 1


def test_other_conditions_are_left_out() -> None:
    records = [record(NETWORKS[0]), record(NETWORKS[1], fingerprint=ELSEWHERE)]
    assert [sample.architecture for sample in usable(records, HERE)] == [NETWORKS[0]]
    assert [sample.architecture for sample in usable(records, ELSEWHERE)] == [NETWORKS[1]]


def test_a_fresh_fingerprint_need_not_tell_all_that_a_record_does() -> None:
    full = {**HERE, "precision": "fp32", "loaded": {"threads": 1}}
    assert len(usable([record(NETWORKS[0], fingerprint=full)], HERE)) == 1


def test_mixed_conditions_are_refused_with_what_differs() -> None:
    records = [record(NETWORKS[0]), record(NETWORKS[1], fingerprint=ELSEWHERE)]
    with pytest.raises(MeasureError, match=r"different conditions \(machine.cpu: .*\); .*; give the fingerprint"):
        usable(records, None)
    half = [
        record(NETWORKS[0], fingerprint={**HERE, "precision": "fp32"}),
        record(NETWORKS[1], fingerprint={**HERE, "precision": "fp16"}),
    ]
    with pytest.raises(MeasureError, match=r"different conditions \(precision: 'fp32' and 'fp16'\)"):
        usable(half, HERE)


def test_the_architecture_comes_from_the_protocol_or_from_a_trial() -> None:
    bare = replace(record(NETWORKS[0]), protocol={})
    assert usable([bare], HERE) == ()
    (sample,) = usable([bare], HERE, architectures={NETWORKS[0].id: NETWORKS[0].to_dict()})
    assert sample.architecture == NETWORKS[0]


def test_milliseconds_are_told_by_the_reference_at_that_resolution() -> None:
    records = [
        record(NETWORKS[0], ratio=2.0, reference_ms=10.0),
        record(NETWORKS[1], ratio=2.0, reference_ms=13.0),
        record(NETWORKS[2], ratio=2.0, reference_ms=14.0),
        record(NETWORKS[3], ratio=2.0, reference_ms=3.0, resolution=128),
    ]
    samples = usable(records, HERE)
    assert comparable_ms(samples) == pytest.approx([26.0, 26.0, 26.0, 6.0])
    assert comparable_ms(samples, {256: 10.0, 128: 4.0}) == [20.0, 20.0, 20.0, 8.0]
    with pytest.raises(MeasureError, match=r"measurements at 128 px; the reference is known at 256 px; "):
        comparable_ms(samples, {256: 10.0})


def test_a_model_never_comes_without_its_error() -> None:
    found = calibrate(usable(timed(NETWORKS), HERE))
    assert len(found.model) == found.validation.num_held_out == 24
    assert found.validation.median_error < 0.1


def test_a_store_is_read_for_one_runner() -> None:
    found = fit_from_store(Stored(timed(NETWORKS[:12]), NETWORKS[12:]), HERE, seed=1)
    assert len(found.model) == 24  # half of them know their architecture from their trials only


def test_an_empty_store_is_refused_with_what_to_do() -> None:
    with pytest.raises(MeasureError, match=r"0 measured architectures; .*; measure some with `bench calibrate`"):
        fit_from_store(Stored([], ()), HERE)


def timed(architectures: Iterable[Architecture]) -> list[Record]:
    known = list(architectures)
    values = latencies_ms(known, noise=0.01)
    return [record(found, ratio=value / 10.0) for found, value in zip(known, values, strict=True)]


class Stored:
    """A store of some measurements, and of others that belong to the trials of a study."""

    def __init__(self, records: list[Record], tried: tuple[Architecture, ...]) -> None:
        self._records = [*records, *(replace(found, protocol={}) for found in timed(tried))]
        self._tried = tried

    def all_measurements(self, *, runner: str, runtime: str, threads: int) -> list[Record]:
        assert (runner, runtime, threads) == ("cpu", "onnxruntime", 1)
        return self._records

    def studies(self) -> list[Any]:
        return [SimpleNamespace(id=7)]

    def trials(self, study_id: int) -> list[Any]:
        assert study_id == 7
        return [SimpleNamespace(architecture_id=found.id, architecture=found.to_dict()) for found in self._tried]
