from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bench.fleet.answers import ApiError
from bench.fleet.lane import Terms
from bench.fleet.limits import Limits
from bench.fleet.results import cleaned, failed_twin, noise_of, read_results
from bench.measure.measurement import Measurement
from bench.measure.protocol import judged

from .examples import make_job, measured

JOB = make_job(b"one", b"two", most_restarts=3)
TERMS = Terms(job=JOB, max_s=600.0)

Change = Callable[[dict[str, Any]], object]


def read(documents: list[dict[str, Any]], terms: Terms = TERMS, **limits: Any) -> tuple[Measurement, ...]:
    return read_results(documents, terms, limits=Limits(**limits)).measurements


def test_measurements_come_back_as_they_were_made() -> None:
    documents = measured(JOB, restarts=3)
    found = read_results(documents, TERMS, limits=Limits())
    assert [measurement.to_dict() for measurement in found.measurements] == documents
    assert found.documents == documents


def test_what_passes_can_be_judged() -> None:
    for measurement in read(measured(JOB, restarts=3, twin_ns=(1_000_000, 1_000_100))):
        assert judged(measurement, target=0.5).verdict in ("valid", "noisy", "not_converged")


def failed(document: dict[str, Any]) -> None:
    nothing = {"samples": [], "reference_samples": [], "twin_samples": [], "contended": []}
    document.update(verdict="failed", reason="it crashed", **nothing)
    document["protocol"]["health"] = []


@pytest.mark.parametrize("placement", [None, "unknown", {"CPU": 2, "XNNPACK": 40}])
def test_a_runtime_need_not_tell_where_operators_ran(placement: Any) -> None:
    documents = measured(JOB)
    documents[0]["protocol"]["placement"] = placement
    assert read(documents)[0].protocol["placement"] == placement


def test_a_failure_needs_no_samples() -> None:
    documents = measured(JOB)
    failed(documents[0])
    first, second = read(documents)
    assert (first.verdict, second.verdict) == ("failed", "valid")


CHANGES: dict[str, Change] = {
    "another label": lambda found: found.update(label="else"),
    "another file": lambda found: found.update(artifact_sha256="0" * 64),
    "another architecture": lambda found: found.update(architecture_id="else"),
    "no architecture": lambda found: found.pop("architecture_id"),
    "another runner": lambda found: found.update(runner="cuda"),
    "another runtime": lambda found: found.update(runtime="litert"),
    "other threads": lambda found: found.update(threads=2),
    "threads that are true": lambda found: found.update(threads=True),
    "another resolution": lambda found: found.update(resolution=32),
    "a verdict of its own": lambda found: found.update(verdict="noisy"),
    "a verdict that is a list": lambda found: found.update(verdict=["valid"]),
    "valid with a reason": lambda found: found.update(reason="but"),
    "failed without a reason": lambda found: found.update(verdict="failed"),
    "a reason without end": lambda found: found.update(verdict="failed", reason="x" * 5000),
    "a reason that is a number": lambda found: found.update(verdict="failed", reason=7),
    "valid without samples": lambda found: found.update(
        samples=[], reference_samples=[], twin_samples=[], contended=[], protocol={"restarts": 1, "health": []}
    ),
    "samples of text": lambda found: found["samples"][0].__setitem__(0, ["1000", "1000"]),
    "samples with a fraction": lambda found: found["samples"][0].__setitem__(0, [1.5, 2.0]),
    "samples that are flags": lambda found: found["samples"][0].__setitem__(0, [True, True]),
    "a sample of nothing": lambda found: found["samples"][0].__setitem__(0, [0, 1]),
    "a sample from the future": lambda found: found["samples"][0].__setitem__(0, [-5, 1]),
    "a sample of years": lambda found: found["samples"][0].__setitem__(0, [10**17, 1]),
    "a block without samples": lambda found: found["samples"][0].__setitem__(0, []),
    "a block that is a number": lambda found: found["samples"][0].__setitem__(0, 7),
    "a process without blocks": lambda found: [
        found[name].__setitem__(0, []) for name in ("samples", "reference_samples", "contended")
    ],
    "samples that are a number": lambda found: found.update(samples=7),
    "a block less than the reference": lambda found: found["samples"][0].pop(),
    "a process less than the reference": lambda found: found["reference_samples"].pop(),
    "twins of another shape": lambda found: found.update(twin_samples=[[[1]]]),
    "no twins for a process": lambda found: found.update(twin_samples=[]),
    "flags that are numbers": lambda found: found.update(contended=[[0, 0]]),
    "flags of another shape": lambda found: found.update(contended=[[False]]),
    "no session": lambda found: found.update(session=""),
    "a session that is too long": lambda found: found.update(session="x" * 33),
    "an unknown key": lambda found: found.update(score=1.0),
    "a missing key": lambda found: found.pop("session"),
    "no fingerprint": lambda found: found.update(fingerprint=None),
    "a protocol that is a list": lambda found: found.update(protocol=[]),
    "a protocol without restarts": lambda found: found["protocol"].pop("restarts"),
    "health of another length": lambda found: found["protocol"].update(health=[]),
    "health without its words": lambda found: found["protocol"].update(health=[[{"blocks": 2}]]),
    "health that is a number": lambda found: found["protocol"].update(health=[7]),
    "processes that are texts": lambda found: found["protocol"].update(processes=["log"]),
    "memory that is a text": lambda found: found["protocol"].update(processes=[{"memory_mib": "much"}]),
    "a place that is a list": lambda found: found["protocol"].update(placement={"cpu": 1}, wanted_placement=["cpu"]),
    "places that are texts": lambda found: found["protocol"].update(placement={"cpu": "all"}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_cannot_be_of_the_job_is_refused(change: Change) -> None:
    documents = measured(JOB)
    change(documents[1])
    with pytest.raises(ApiError) as caught:
        read(documents)
    assert caught.value.status == 422


def test_every_artifact_has_one_measurement_in_the_order_of_the_job() -> None:
    documents = measured(JOB)
    for wrong in (documents[:1], [*documents, documents[0]], documents[::-1]):
        with pytest.raises(ApiError):
            read(wrong)


def test_measurements_of_one_result_are_of_one_session() -> None:
    documents = measured(JOB)
    documents[1]["session"] = "other"
    with pytest.raises(ApiError, match="several sessions"):
        read(documents)


def test_the_number_of_samples_has_a_bound() -> None:
    documents = measured(JOB)  # 2 artifacts, 2 blocks of 2 runs, of its own and of the reference
    read(documents, samples=16)
    with pytest.raises(ApiError, match="16 samples"):
        read(documents, samples=15)


@pytest.mark.parametrize(("restarts", "blocks", "is_read"), [(3, 5, True), (4, 5, False), (3, 6, False)])
def test_there_are_no_more_processes_and_blocks_than_the_job_allows(restarts: int, blocks: int, is_read: bool) -> None:
    """Intervals are derived of them: a process of a million blocks takes more memory than a hub has."""
    documents = measured(replace(JOB, blocks=blocks), restarts=restarts)  # the job has 3 restarts of 2 blocks
    if is_read:
        assert len(read(documents)[0].samples) == restarts
        return
    with pytest.raises(ApiError, match=r"processes|blocks"):
        read(documents)


def test_samples_cannot_take_longer_than_the_job_had() -> None:
    short = Terms(job=JOB, max_s=10.0)
    read(measured(JOB, ns=5 * 10**9), short)  # 2 x 20 s of its own are within the spare time
    with pytest.raises(ApiError, match="which the job had"):
        read(measured(JOB, ns=20 * 10**9), short)


def test_fields_that_name_somebody_are_taken_out() -> None:
    documents = measured(JOB)
    documents[0]["fingerprint"] |= {
        "hostname": "eve",
        "machine": {"cpu": "x", "Serial": "123", "inner": [{"user": "eve", "cores": 8}]},
    }
    kept = read_results(documents, TERMS, limits=Limits()).documents[0]["fingerprint"]
    assert kept == {"machine": {"cpu": "x", "inner": [{"cores": 8}]}, "runtime": "onnxruntime"}
    assert cleaned({"env": {"TOKEN": "x"}, "celsius": 40}) == {"celsius": 40}


@pytest.mark.parametrize(
    ("twin_ns", "contended", "is_failed"),
    [
        (None, False, False),
        ((1_000_000, 1_000_000), False, False),
        ((1_040_000, 1_040_000), False, False),
        ((1_200_000, 1_200_000), False, True),
        ((800_000, 800_000), False, True),
        ((1_200_000, 1_200_000), True, False),
        ((900_000, 1_250_000), False, False),
    ],
)
def test_a_reference_that_differs_from_itself_speaks_against_the_runner(
    twin_ns: tuple[int, int] | None, contended: bool, is_failed: bool
) -> None:
    found = read(measured(JOB, twin_ns=twin_ns, contended=contended))
    reason = failed_twin(found)
    assert (reason is not None) is is_failed
    assert reason is None or reason.startswith("its A/A failed")


def test_the_noise_of_a_session_is_that_of_its_twin() -> None:
    assert noise_of(read(measured(JOB))) is None
    found = noise_of(read(measured(JOB, twin_ns=(1_020_000, 1_020_000))))
    assert found is not None
    assert found["floor"] == pytest.approx(0.02)
