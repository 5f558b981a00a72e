from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.agent.drivers import DriverError
from bench.agent.drivers.local import LocalDriver
from bench.measure import Job, JobArtifact, Measurement, shared

LIMIT_S = 60.0

MakeJob = Callable[..., Job]
MakeOnnx = Callable[..., JobArtifact]


def run(
    driver: LocalDriver,
    work: Job,
    *,
    is_enough: Callable[[Sequence[Measurement]], bool] = lambda known: True,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> tuple[Measurement, ...]:
    return driver.run(work, is_enough=is_enough, progress=lambda done, total: None, is_cancelled=is_cancelled)


def foreign(work: Job) -> Job:
    """The job as it comes from a hub: nothing in it counts as checked."""
    return replace(
        work,
        reference=replace(work.reference, is_checked=False),
        artifacts=tuple(replace(artifact, is_checked=False) for artifact in work.artifacts),
    )


@pytest.fixture
def driver(tmp_path: Path) -> LocalDriver:
    return LocalDriver(lock=tmp_path / "lock")


def test_device_times_what_it_has_looked_into(driver: LocalDriver, job: MakeJob, convolution: MakeOnnx) -> None:
    seen: list[tuple[int, int]] = []
    found = driver.run(
        foreign(job(convolution("a"), convolution("b", layers=2))),
        is_enough=lambda known: True,
        progress=lambda done, total: seen.append((done, total)),
        is_cancelled=lambda: False,
    )
    assert [item.label for item in found] == ["a", "b"]
    for item in found:
        assert item.has_figures, item.reason
        assert item.verdict == "valid"  # not judged
        assert item.protocol["checked_by"] == "device"
        assert item.protocol["output"]["is_checked"]
        assert item.protocol["limits"]["RLIMIT_CORE"] == 0
        assert item.protocol["limits"]["may_gain_rights"] is (sys.platform != "linux")
    assert seen[-1][0] == seen[-1][1]


def test_capabilities_are_plain_data(driver: LocalDriver) -> None:
    found = json.loads(json.dumps(driver.capabilities(), allow_nan=False))
    assert (found["driver"], found["kind"]) == ("local", "cpu")
    assert found["runtimes"]["onnxruntime"]["formats"] == ["onnx"]
    assert found["runtimes"]["onnxruntime"]["versions"]["onnxruntime"]
    assert "executorch" not in found["runtimes"]  # its files do not travel
    assert set(found["checks"]) == {"onnx", "tflite"}
    assert found["device"]["logical_cpus"] >= 1
    assert found.keys() >= {"python", "agent", "protocol"}


def test_health_is_small_and_plain(driver: LocalDriver) -> None:
    assert len(json.dumps(driver.health(), allow_nan=False)) < 1000


def test_device_without_a_check_says_that_the_hub_has_checked(
    tmp_path: Path, job: MakeJob, convolution: MakeOnnx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.agent.drivers.local.checked_formats", lambda: ("tflite",))
    (found,) = run(LocalDriver(lock=tmp_path / "lock"), foreign(job(convolution("a"))))
    assert found.has_figures, found.reason
    assert found.protocol["checked_by"] == "hub"
    careful = LocalDriver(lock=tmp_path / "lock", requires_check=True)
    with pytest.raises(DriverError, match="--require-check") as caught:
        run(careful, foreign(job(convolution("a"))))
    assert caught.value.kind == "unsupported"


def test_file_that_fails_its_check_is_a_failed_measurement(
    driver: LocalDriver, job: MakeJob, convolution: MakeOnnx
) -> None:
    bad = convolution("bad")
    content = b"no onnx at all"
    Path(bad.path).write_bytes(content)
    bad = replace(bad, sha256=hashlib.sha256(content).hexdigest())
    good, failed = run(driver, foreign(job(convolution("good"), bad)))
    assert good.has_figures
    assert failed.verdict == "failed"
    assert "checking failed" in (failed.reason or "")


def test_reference_that_is_refused_fails_the_job_for_good(
    driver: LocalDriver, job: MakeJob, convolution: MakeOnnx
) -> None:
    work = foreign(job(convolution("a")))
    Path(work.reference.path).write_bytes(b"another content")
    with pytest.raises(DriverError, match="the reference 'reference' failed") as caught:
        run(driver, work)
    assert caught.value.kind == "artifact_invalid"


def test_reference_that_crashes_its_process_is_the_runners_fault(
    tmp_path: Path, scripted: tuple[str, ...], job: MakeJob, convolution: MakeOnnx
) -> None:
    work = job(convolution("a"))
    work = replace(work, reference=replace(work.reference, label="crash"))
    with pytest.raises(DriverError, match="SIGSEGV") as caught:
        run(LocalDriver(lock=tmp_path / "lock", command=scripted), work)
    assert caught.value.kind == "worker_crash"


@pytest.mark.parametrize(
    ("own", "told"), [("onnx", "checking failed: "), ("tflite", "the child process could not start ")]
)
def test_process_that_cannot_run_is_the_runners_fault(
    tmp_path: Path, job: MakeJob, convolution: MakeOnnx, monkeypatch: pytest.MonkeyPatch, own: str, told: str
) -> None:
    monkeypatch.setattr("bench.agent.drivers.local.checked_formats", lambda: (own,))
    broken = (sys.executable, "-c", "raise SystemExit('the runtime is broken')")
    with pytest.raises(DriverError, match=f"{told}.*: the runtime is broken$") as caught:
        run(LocalDriver(lock=tmp_path / "lock", command=broken), job(convolution("a"), convolution("b")))
    assert caught.value.kind == "worker_crash"


def test_job_of_another_kind_is_refused(driver: LocalDriver, job: MakeJob, convolution: MakeOnnx) -> None:
    work = replace(job(convolution("a")), runner="cuda", runtime="onnxruntime-cuda")
    with pytest.raises(DriverError, match="'cuda'") as caught:
        run(driver, work)
    assert caught.value.kind == "unsupported"


@pytest.mark.parametrize("label", ["hang", "hang-load"])
def test_job_that_is_cancelled_ends_in_the_middle_of_a_step(
    tmp_path: Path, scripted: tuple[str, ...], job: MakeJob, convolution: MakeOnnx, label: str
) -> None:
    work = replace(job(convolution("a")), artifacts=(replace(convolution("a"), label=label),))
    begin = time.monotonic()
    with pytest.raises(DriverError, match="cancelled"):
        run(
            LocalDriver(lock=tmp_path / "lock", command=scripted),
            work,
            is_cancelled=lambda: time.monotonic() - begin > 0.3,
        )
    assert time.monotonic() - begin < LIMIT_S


def test_device_holds_the_cpus_alone(
    tmp_path: Path, scripted: tuple[str, ...], job: MakeJob, convolution: MakeOnnx
) -> None:
    driver, work = LocalDriver(lock=tmp_path / "lock", command=scripted), foreign(job(convolution("a")))
    is_training = threading.Event()
    training_ended_s = 0.0

    def train() -> None:
        nonlocal training_ended_s
        with shared(tmp_path / "lock"):
            is_training.set()
            time.sleep(0.2)
            training_ended_s = time.monotonic()

    trainer = threading.Thread(target=train)
    trainer.start()
    is_training.wait(LIMIT_S)
    first_step_s: list[float] = []
    driver.run(
        work,
        is_enough=lambda known: True,
        progress=lambda done, total: first_step_s.append(time.monotonic()),
        is_cancelled=lambda: False,
    )
    trainer.join()
    assert first_step_s[0] > training_ended_s


def test_lock_that_cannot_be_had_is_told(tmp_path: Path, job: MakeJob, convolution: MakeOnnx) -> None:
    (tmp_path / "lock").write_text("a file where a folder is needed")
    with pytest.raises(DriverError, match="cannot open the lock") as caught:
        run(LocalDriver(lock=tmp_path / "lock"), foreign(job(convolution("a"))))
    assert caught.value.kind == "unhealthy"
