"""A phone as a runner: the driver, the real adb client, and a scripted phone behind it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from measure.checks.test_tflite_file import tflite
from measure.conftest import write_onnx

from bench.agent.drivers import DriverError
from bench.agent.drivers.adb import AdbDriver
from bench.errors import MeasureError
from bench.measure import Job, JobArtifact, Measurement, summarise
from bench.measure.protocol import is_precise, judged

from .conftest import Attach
from .scripted_phone import ROOT, SERIAL, ScriptedPhone, Shell
from .scripted_programs import litert, onnxruntime

SIDE = 16
LOGITS = (1.0, -2.0, 3.0)
# The smallest that is judged at all.
LEAST = {
    "restarts": 1,
    "most_restarts": 1,
    "blocks": 2,
    "iterations": 2,
    "warmup_ms": 5.0,
    "target": 10.0,
    "twin": "never",
    "repeats": False,
    "deadline_s": 20.0,
}
DriverOf = Callable[..., AdbDriver]


def artifact_of(path: Path, content: bytes, label: str, *, kind: str = "tflite") -> JobArtifact:
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return JobArtifact(label=label, path=str(path), format=kind, sha256=digest, logits=LOGITS)


@pytest.fixture
def reference(tmp_path: Path) -> JobArtifact:
    return artifact_of(tmp_path / "reference", tflite(shape=(1, 3, SIDE, SIDE)), "reference")


@pytest.fixture
def network(tmp_path: Path) -> JobArtifact:
    """With the channels last, as other exporters write it."""
    return artifact_of(tmp_path / "network", tflite(shape=(1, SIDE, SIDE, 3), num_nodes=2), "network")


@pytest.fixture
def times_us(reference: JobArtifact, network: JobArtifact) -> dict[str, int]:
    return {reference.sha256: 4000, network.sha256: 6000}


@pytest.fixture
def phone(attach: Attach, times_us: dict[str, int]) -> ScriptedPhone:
    return attach(ScriptedPhone(litert(times_us, dict.fromkeys(times_us, LOGITS))))


@pytest.fixture
def driver(tmp_path: Path, phone: ScriptedPhone) -> DriverOf:
    """Makes a driver of the scripted phone, which does not wait for it to cool down unless it is told how."""
    binary = tmp_path / "benchmark_model"
    binary.write_bytes(b"\x7fELF of a phone")
    digest = hashlib.sha256(binary.read_bytes()).hexdigest()

    def make(**settings: Any) -> AdbDriver:
        usual = {"binary": binary, "binary_sha256": digest, "folder": tmp_path / "agent", "sleep": lambda _: None}
        return AdbDriver(SERIAL, **{**usual, **settings})

    return make


def job_of(reference: JobArtifact, *artifacts: JobArtifact, **settings: Any) -> Job:
    usual = {"resolution": SIDE, "runtime": "litert"}
    return Job(artifacts=artifacts, reference=reference, **{**usual, **LEAST, **settings})


def run(
    driver: AdbDriver,
    job: Job,
    *,
    is_enough: Callable[[Any], bool] = lambda known: False,
    is_cancelled: Callable[[], bool] = lambda: False,
    steps: list[tuple[int, int]] | None = None,
) -> tuple[Measurement, ...]:
    told = [] if steps is None else steps
    return driver.run(
        job,
        is_enough=is_enough,
        progress=lambda done, total: told.append((done, total)),
        is_cancelled=is_cancelled,
    )


def test_samples_are_medians_of_processes_by_restart_and_block(
    driver: DriverOf, reference: JobArtifact, network: JobArtifact
) -> None:
    job = job_of(reference, network, restarts=2, most_restarts=2, twin="always", threads=2)
    steps: list[tuple[int, int]] = []
    (found,) = run(driver(cores="f0"), job, steps=steps)
    assert found.reason is None
    for samples, usual in ((found.samples, 6e6), (found.reference_samples, 4e6), (found.twin_samples, 4e6)):
        assert [len(process) for process in samples] == [2, 2]
        assert all(len(block) == 1 for process in samples for block in process)
        assert all(usual <= block[0] < usual * 1.01 for process in samples for block in process)
    assert found.contended == ((False, False), (False, False))
    assert found.protocol["statistic"] == "median"
    assert found.protocol["blocks"] == 2
    assert found.protocol["placement"] == {"XNNPACK": 90, "CPU": 6}
    assert found.protocol["operators"] == {"RELU": 2}
    assert found.protocol["checked_by"] == "device"
    assert found.protocol["phone"]["charging"] == "charging"
    assert found.memory_mib == 12.8
    assert (found.runner, found.runtime, found.threads) == ("cpu", "litert", 2)
    assert steps[-1][0] == steps[-1][1] == len(steps)
    assert all(done <= total for done, total in steps)
    assert Measurement.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found


def test_record_is_judged_and_summarised_like_any_other(
    driver: DriverOf, reference: JobArtifact, network: JobArtifact
) -> None:
    job = job_of(reference, network, restarts=6, most_restarts=9, twin="always", target=0.05)
    looks: list[int] = []

    def is_enough(known: tuple[Measurement, ...]) -> bool:
        looks.append(len(known[0].samples))
        return is_precise(known, restarts=job.restarts, target=job.target)

    (found,) = run(driver(), job, is_enough=is_enough)
    assert looks == [6]
    verdict = judged(found, target=job.target)
    assert (verdict.verdict, verdict.reason) == ("valid", None)
    summary = summarise(verdict)
    assert summary.ratio_to_reference == pytest.approx(1.5, rel=0.01)
    assert summary.median_ms == pytest.approx(6.0, rel=0.01)


def test_phone_and_program_are_the_fingerprint(driver: DriverOf, reference: JobArtifact, network: JobArtifact) -> None:
    (found,) = run(driver(cores="80"), job_of(reference, network))
    machine = found.fingerprint["machine"]
    assert (machine["system"], machine["model"], machine["cpu"]) == ("Android", "Phone 1", "SoC 9")
    assert found.fingerprint["governor"] == "fixed-performance"
    assert found.fingerprint["limits"] == {"affinity": [7]}
    assert set(found.fingerprint["software"]) == {"litert"}
    assert SERIAL not in json.dumps(found.to_dict())


def test_processes_are_pinned_interleaved_and_given_the_picture(
    driver: DriverOf, phone: ScriptedPhone, reference: JobArtifact, network: JobArtifact
) -> None:
    run(driver(cores="f0"), job_of(reference, network))
    asked = phone.asked("time -p taskset f0 ")
    order = ["reference" if reference.sha256 in command else "network" for command in asked]
    assert len(asked) == 6  # one look each, and two blocks of two
    assert order[:2] == ["reference", "network"]
    assert order[2:4] == order[4:6][::-1]
    shapes = {f"--input_layer_shape=1,3,{SIDE},{SIDE}", f"--input_layer_shape=1,{SIDE},{SIDE},3"}
    assert {word for command in asked for word in command.split() if "shape" in word} == shapes
    assert sum("--output_filepath=" in command for command in asked) == 2


def test_output_is_held_to_the_reference_logits(
    driver: DriverOf, phone: ScriptedPhone, times_us: dict[str, int], reference: JobArtifact, network: JobArtifact
) -> None:
    (good,) = run(driver(), job_of(reference, network))
    assert good.protocol["output"] == {"is_checked": True, "errors": [0.0], "unchecked": None}
    phone.program = litert(times_us, {reference.sha256: LOGITS, network.sha256: (1.0, -2.0, 3.3)})
    (bad,) = run(driver(), job_of(reference, network))
    assert (bad.verdict, bad.samples) == ("wrong_output", ())
    assert bad.reason is not None
    assert bad.reason.startswith("its output differs from the network's by 8.0e-02 (relative)")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ({"knows_files": False}, "this build of the program does not know --input_layer"),
        ({"outputs": None}, "this build of the program wrote no output"),
    ],
)
def test_output_that_cannot_be_had_is_said_to_be_unchecked(
    driver: DriverOf,
    phone: ScriptedPhone,
    times_us: dict[str, int],
    reference: JobArtifact,
    network: JobArtifact,
    script: dict[str, Any],
    why: str,
) -> None:
    phone.program = litert(times_us, **{"outputs": dict.fromkeys(times_us, LOGITS), **script})
    (found,) = run(driver(), job_of(reference, network))
    assert found.reason is None
    assert found.protocol["output"]["is_checked"] is False
    assert found.protocol["output"]["unchecked"].startswith(why)


def test_build_without_percentiles_gives_means(
    driver: DriverOf, phone: ScriptedPhone, times_us: dict[str, int], reference: JobArtifact, network: JobArtifact
) -> None:
    phone.program = litert(times_us, dict.fromkeys(times_us, LOGITS), is_old=True)
    (found,) = run(driver(), job_of(reference, network))
    assert found.protocol["statistic"] == "mean"
    assert found.fingerprint["loaded"] == {"program": "litert", "statistic": "mean"}


def test_runs_of_onnx_runtime_are_samples_of_their_own(driver: DriverOf, phone: ScriptedPhone, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    import numpy as np

    def made(name: str, value: float) -> JobArtifact:
        node = onnx.helper.make_node("Conv", ["picture", "kernel"], ["logits"], pads=[1, 1, 1, 1])
        kernel = {"kernel": np.full((3, 3, 3, 3), value, np.float32)}
        return replace(write_onnx(tmp_path / f"{name}.onnx", [node], kernel), logits=LOGITS, is_checked=False)

    reference, network = made("reference", 0.1), made("network", 0.2)
    phone.program = onnxruntime({reference.sha256: 0.01, network.sha256: 0.02})
    job = job_of(reference, network, runtime="onnxruntime", visit_ms=200.0, warmup_ms=40.0)
    (found,) = run(driver(tool="onnxruntime"), job)
    assert found.reason is None
    assert found.protocol["statistic"] == "each run"
    assert [len(block) for block in found.samples[0]] == [10, 10]
    assert [len(block) for block in found.reference_samples[0]] == [20, 20]
    assert found.protocol["output"]["is_checked"] is False
    assert not [path for path in phone.files if path.endswith(".csv")]


def test_phone_is_left_as_it_was_found(
    driver: DriverOf, phone: ScriptedPhone, reference: JobArtifact, network: JobArtifact, tmp_path: Path
) -> None:
    during: list[bool | None] = []
    phone.before = lambda command: during.append(phone.fixed) if command.startswith("time ") else None
    run(driver(), job_of(reference, network))
    assert during
    assert all(during)
    assert phone.fixed is False
    assert [path.split("/")[-1] for path in phone.files] == ["program"]  # kept for the next job
    assert list((tmp_path / "agent").iterdir()) == []


def test_phone_without_the_mode_is_timed_without_it(
    driver: DriverOf, phone: ScriptedPhone, reference: JobArtifact, network: JobArtifact, tmp_path: Path
) -> None:
    phone.fixed = None
    (found,) = run(driver(), job_of(reference, network))
    assert found.reason is None
    assert found.fingerprint["governor"] is None
    assert list((tmp_path / "agent").iterdir()) == []


def test_phone_that_is_lost_is_restored_by_the_next_start(
    driver: DriverOf, phone: ScriptedPhone, reference: JobArtifact, network: JobArtifact, tmp_path: Path
) -> None:
    processes: list[str] = []

    def unplug(command: str) -> None:
        if command.startswith("time ") and (processes.append(command) or len(processes) == 4):
            phone.state = ""

    phone.before = unplug
    first = driver()
    # The fourth process still answers: the phone is gone when the next command is asked for.
    with pytest.raises(DriverError) as caught:
        run(first, job_of(reference, network))
    assert caught.value.kind == "device_lost"
    assert f"device '{SERIAL}' not found" in caught.value.reason
    assert phone.fixed is True
    (note,) = (tmp_path / "agent").iterdir()
    assert json.loads(note.read_text())["is_fixed"] is True
    driver()  # a start while it is away undoes nothing and fails nothing
    assert note.exists()
    assert first.health()["state"].startswith("the phone is lost")
    phone.state = "device"
    driver()
    assert phone.fixed is False
    assert not note.exists()
    assert not [path for path in phone.files if "model" in path]


def test_hot_phone_is_waited_for(
    driver: DriverOf, phone: ScriptedPhone, reference: JobArtifact, network: JobArtifact
) -> None:
    naps: list[float] = []
    phone.thermal = [2, 1, 0]
    (found,) = run(driver(sleep=naps.append), job_of(reference, network))
    assert naps == [5.0, 5.0]
    assert found.contended == ((False, False),)


def test_phone_that_stays_warm_is_timed_and_said_to_be(
    driver: DriverOf, phone: ScriptedPhone, reference: JobArtifact, network: JobArtifact
) -> None:
    naps: list[float] = []
    phone.thermal = [1]
    (found,) = run(driver(sleep=naps.append), job_of(reference, network, repeats=True))
    assert sum(naps) == 4 * 120.0  # two blocks, and both once more
    assert found.contended == ((True,) * 4,)
    verdict = judged(found, target=10.0)
    assert (verdict.verdict, verdict.reason) == (
        "throttled",
        "the phone's thermal status was 'light' (in 4 of 4 stretches)",
    )


def test_phone_that_stays_hot_is_unhealthy(
    driver: DriverOf, phone: ScriptedPhone, reference: JobArtifact, network: JobArtifact
) -> None:
    phone.thermal = [3]
    with pytest.raises(DriverError, match=r"^the phone's thermal status is 'severe' after 120 s of wait") as caught:
        run(driver(), job_of(reference, network))
    assert caught.value.kind == "unhealthy"
    assert phone.fixed is False


def test_blocks_beside_other_work_are_repeated_and_kept(
    driver: DriverOf, phone: ScriptedPhone, reference: JobArtifact, network: JobArtifact
) -> None:
    asked: list[str] = []

    def disturb(command: str) -> None:
        if command.startswith("time "):
            asked.append(command)
            phone.others_s = 0.5 if 3 <= len(asked) <= 4 else 0.0  # the first block

    phone.before = disturb
    (found,) = run(driver(), job_of(reference, network, repeats=True))
    assert found.contended == ((True, False, False, False),)
    assert found.protocol["health"][0][0]["contention"].startswith("others used 50 % of a core of the phone")
    assert judged(found, target=10.0).verdict == "valid"


def test_phone_that_does_not_tell_cpu_time_is_valid_with_a_word(
    driver: DriverOf, phone: ScriptedPhone, reference: JobArtifact, network: JobArtifact
) -> None:
    phone.tells_cpu = False
    (found,) = run(driver(), job_of(reference, network))
    assert judged(found, target=10.0).reason == "but what else used the CPU is not told by this system"


def test_process_that_crashes_is_tried_again_and_fails_its_artifact_alone(
    driver: DriverOf,
    phone: ScriptedPhone,
    times_us: dict[str, int],
    reference: JobArtifact,
    network: JobArtifact,
    tmp_path: Path,
) -> None:
    other = artifact_of(tmp_path / "other", tflite(shape=(1, 3, SIDE, SIDE), num_nodes=3), "other")
    times_us[other.sha256] = 5000
    sound = litert(times_us, {**dict.fromkeys(times_us, LOGITS)})
    crashes = {network.sha256: 1, other.sha256: 99}
    seen: list[str] = []

    def script(phone: ScriptedPhone, words: list[str]) -> Shell:
        sha256 = words[1].split("/")[-2]
        seen.append(sha256)
        if seen.count(sha256) > 1 and crashes.get(sha256, 0) > 0:
            crashes[sha256] -= 1
            return Shell(code=139, err="Segmentation fault \n")
        return sound(phone, words)

    phone.program = script
    once, always = run(driver(), job_of(reference, network, other))
    assert once.reason is None
    assert len(once.samples[0]) == 2
    assert always.verdict == "failed"
    assert always.reason == ("timing failed (restart 1): litert's program was ended by signal 11: Segmentation fault")


def test_process_that_hangs_costs_its_deadline_and_is_ended(
    driver: DriverOf,
    phone: ScriptedPhone,
    times_us: dict[str, int],
    reference: JobArtifact,
    network: JobArtifact,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Nobody looks into the files: a child process of this host may take as long to start.
    monkeypatch.setattr("bench.agent.drivers.adb.checked_formats", lambda: ())
    sound = litert(times_us, dict.fromkeys(times_us, LOGITS))
    phone.program = lambda phone, words: Shell(hangs=True) if network.sha256 in words[1] else sound(phone, words)
    (found,) = run(driver(), job_of(reference, network, deadline_s=2.0))
    assert found.reason == "loading failed: no answer from the phone within 2 s"
    assert phone.killed == 1


def test_reference_that_fails_is_told_of_the_phone(
    driver: DriverOf, phone: ScriptedPhone, reference: JobArtifact, network: JobArtifact
) -> None:
    phone.program = lambda phone, words: Shell(code=1, err="ERROR: Failed to load model\n")
    with pytest.raises(DriverError, match=r"^the reference 'reference' failed: loading failed: .*to load ") as caught:
        run(driver(), job_of(reference, network))
    assert caught.value.kind == "worker_crash"
    Path(reference.path).write_bytes(b"something else")
    with pytest.raises(DriverError, match=r"checking failed: ValueError: the file's sha256 is ") as caught:
        run(driver(), job_of(reference, network))
    assert caught.value.kind == "artifact_invalid"


def test_file_that_may_not_be_loaded_never_reaches_the_phone(
    driver: DriverOf, phone: ScriptedPhone, reference: JobArtifact, tmp_path: Path
) -> None:
    evil = artifact_of(tmp_path / "evil", tflite(operator={0: ("b", 32)}, custom="Evil"), "evil")
    good = artifact_of(tmp_path / "good", tflite(shape=(1, 3, SIDE, SIDE), num_nodes=4), "good")
    phone.program = litert({reference.sha256: 4000, good.sha256: 5000}, {reference.sha256: LOGITS, good.sha256: LOGITS})
    bad, fine = run(driver(), job_of(reference, evil, good))
    assert bad.verdict == "failed"
    assert bad.reason is not None
    assert bad.reason.startswith("checking failed: ValueError: operator CUSTOM 'Evil'")
    assert fine.reason is None
    assert not [path for path in phone.sent if evil.sha256 in path]


def test_cancelled_job_ends_within_one_process(
    driver: DriverOf, phone: ScriptedPhone, reference: JobArtifact, network: JobArtifact
) -> None:
    with pytest.raises(DriverError, match=r"^cancelled$"):
        run(driver(), job_of(reference, network), is_cancelled=lambda: len(phone.asked("time ")) >= 3)
    assert len(phone.asked("time ")) == 3
    assert phone.fixed is False


def test_cancelled_job_ends_in_the_middle_of_a_process(
    driver: DriverOf, phone: ScriptedPhone, reference: JobArtifact, network: JobArtifact
) -> None:
    phone.program = lambda phone, words: Shell(hangs=True)
    with pytest.raises(DriverError, match=r"^cancelled$"):
        run(driver(), job_of(reference, network, deadline_s=3600.0), is_cancelled=lambda: bool(phone.asked("time ")))
    assert phone.killed == 1
    assert phone.fixed is False


def test_job_that_is_cancelled_at_once_leaves_the_phone_alone(
    driver: DriverOf, phone: ScriptedPhone, reference: JobArtifact, network: JobArtifact
) -> None:
    with pytest.raises(DriverError, match=r"^cancelled$"):
        run(driver(), job_of(reference, network), is_cancelled=lambda: True)
    assert phone.sent == phone.commands == []


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"runtime": "onnxruntime"}, "format 'onnx' for 'onnxruntime' ('reference'); this phone times 'tflite' for "),
        ({"runtime": "openvino", "precision": "fp16"}, "format 'onnx' for 'openvino' ('reference'); "),
    ],
)
def test_jobs_for_others_are_unsupported(
    driver: DriverOf, tmp_path: Path, settings: dict[str, Any], reason: str
) -> None:
    reference = artifact_of(tmp_path / "reference.onnx", b"r", "reference", kind="onnx")
    network = artifact_of(tmp_path / "network.onnx", b"n", "network", kind="onnx")
    with pytest.raises(DriverError) as caught:
        run(driver(), job_of(reference, network, **settings))
    assert caught.value.kind == "unsupported"
    assert caught.value.reason.startswith(reason)


def test_capabilities_are_of_the_phone(driver: DriverOf, phone: ScriptedPhone) -> None:
    found = driver().capabilities()
    assert (found["driver"], found["kind"], found["checks"]) == ("adb", "cpu", ["tflite"])
    assert found["runtimes"]["litert"]["formats"] == ["tflite"]
    assert found["device"]["distribution"] == "Android 15"
    assert SERIAL not in json.dumps(found)
    phone.state = "unauthorized"
    with pytest.raises(DriverError, match="unauthorized") as caught:
        driver().capabilities()
    assert caught.value.kind == "device_lost"


def test_health_while_something_is_timed_asks_the_phone_nothing(
    driver: DriverOf, phone: ScriptedPhone, reference: JobArtifact, network: JobArtifact
) -> None:
    made = driver()
    assert made.health() == {"state": "device", "celsius": 31.5, "thermal": "none"}
    found: list[tuple[dict[str, Any], int]] = []

    def ask(command: str) -> None:
        if command.startswith("time "):
            before = len(phone.commands)
            found.append((made.health(), len(phone.commands) - before))

    phone.before = ask
    run(made, job_of(reference, network))
    assert found
    assert all(told == ({"state": "device", "celsius": 31.5, "thermal": "none"}, 0) for told in found)


def test_another_program_than_was_pinned_is_refused(driver: DriverOf, tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match=r"^the program 'benchmark_model' has sha256 .*, and 'f+' was given; "):
        driver(binary_sha256="f" * 64)
    with pytest.raises(MeasureError, match=r"^the program .*gone' cannot be read \(No such file .*runners/android\.md"):
        driver(binary=tmp_path / "gone")


@pytest.mark.parametrize("cores", ["", "0", "xyz", "0xf0", "f0;reboot", "1" * 17])
def test_masks_that_cannot_be_are_refused(driver: DriverOf, cores: str) -> None:
    with pytest.raises(MeasureError, match=r"^cores .*; f0 stands for the CPUs 4 to 7$"):
        driver(cores=cores)


def test_unknown_tool_is_refused_with_the_nearest_word(driver: DriverOf) -> None:
    with pytest.raises(MeasureError, match=r"^unknown tool 'litert2' for a phone; known: .*; did you mean 'litert'\?$"):
        driver(tool="litert2")


def test_program_that_changed_since_the_start_is_not_run(
    driver: DriverOf, phone: ScriptedPhone, reference: JobArtifact, network: JobArtifact, tmp_path: Path
) -> None:
    made = driver()
    (tmp_path / "benchmark_model").write_bytes(b"another")
    with pytest.raises(DriverError, match=r"^benchmark_model has another sha256 than "):
        run(made, job_of(reference, network))
    assert phone.asked("time ") == []
    assert phone.fixed is False


def test_nothing_of_a_job_but_hashes_reaches_the_phone(
    driver: DriverOf, phone: ScriptedPhone, tmp_path: Path, times_us: dict[str, int]
) -> None:
    folder = tmp_path / "$(reboot) ; x"
    folder.mkdir()
    reference = artifact_of(folder / "a b", tflite(shape=(1, 3, SIDE, SIDE)), "reference; reboot")
    network = artifact_of(folder / "'c'", tflite(shape=(1, SIDE, SIDE, 3), num_nodes=2), "$(reboot)")
    (found,) = run(driver(), job_of(reference, network))
    assert found.reason is None
    assert not [command for command in phone.commands if "reboot" in command]
    assert all(path.startswith(f"{ROOT}/") for path in phone.sent)
