"""The agent as a process: one file, a real hub's calls, a real runtime, real signals."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from command import ROOT, surroundings

from bench.measure import Measurement

from .conftest import MakeBody, lease_of
from .scripted_hub import Answer, Asked, Certificate, ScriptedHub, scripted_hub

LIMIT_S = 120.0
CODE, TOKEN = "a-code-of-this-test", "t0ken-of-this-test-" + "x" * 24
# Worked on for as long as it is let: half a minute of warming up.
ENDLESS = {"warmup_ms": 30_000.0, "warmup_least_ms": 30_000.0}


class Script:
    """Enrols one agent, hands out leases, and keeps what comes back."""

    def __init__(self) -> None:
        self.leases: list[dict[str, Any]] = []
        self.contents: dict[str, bytes] = {}
        self.fence = 0

    def __call__(self, asked: Asked) -> Answer:
        what = asked.path.partition("?")[0].rpartition("/")[2]
        if what == "enroll":
            if asked.json()["code"] != CODE:
                return Answer(403, {"error": "no such code"})
            given = {"runner_id": "r1", "name": "pi", "token": TOKEN, "heartbeat_s": 15.0, "wait_s": 0.05}
            return Answer(body=given)
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answer(401, {"error": "no such token"})
        if what == "lease":
            return Answer(body=self.leases.pop(0)) if self.leases else Answer(204)
        if what in ("heartbeat", "look"):
            return Answer(body={"action": "continue"})
        return Answer(body=self.contents.get(what, b"{}"))

    def add(self, body: dict[str, Any], folder: Path) -> None:
        self.fence += 1
        for path in folder.glob("*.onnx"):
            self.contents[hashlib.sha256(path.read_bytes()).hexdigest()] = path.read_bytes()
        self.leases.append(lease_of(body, fence=self.fence, heartbeat_s=0.05))


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def hub(script: Script) -> Iterator[ScriptedHub]:
    with scripted_hub(script) as found:
        yield found


class Device:
    """A folder with the packed file, and what is started from it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "agent.py"
        self.agents = folder / "agents"
        self.log = folder / "log"
        shutil.copy(ROOT / "runners" / "agent.py", self.file)

    @contextlib.contextmanager
    def started(self, *words: str, enrolment: str | None = None) -> Iterator[subprocess.Popen[str]]:
        with self.log.open("a") as log:
            process = subprocess.Popen(
                [sys.executable, str(self.file), "--folder", str(self.agents), *words],
                env=surroundings() | ({} if enrolment is None else {"BENCH_ENROL": enrolment}),
                cwd=self.file.parent,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            with process:
                try:
                    yield process
                finally:
                    process.kill()
        finally:
            assert TOKEN not in self.log.read_text()
            assert CODE not in self.log.read_text()

    def run(self, *words: str, enrolment: str | None = None) -> int:
        with self.started(*words, enrolment=enrolment) as process:
            return process.wait(LIMIT_S)

    @property
    def state(self) -> Path:
        return self.agents / "pi" / "agent.json"


@pytest.fixture
def device(tmp_path: Path) -> Device:
    folder = tmp_path / "device"
    folder.mkdir()
    return Device(folder)


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def timing(process: subprocess.Popen[str], hub: ScriptedHub) -> list[psutil.Process]:
    """Waits until a child process has loaded a model, and works."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if any(beat.json()["phase"] == "measuring" and beat.json()["done"] for beat in hub.calls("/heartbeat")[-1:]):
            return family(process)
        time.sleep(0.02)
    raise AssertionError("nothing was timed")


def have_ended(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=LIMIT_S)
    return all(member.status() == psutil.STATUS_ZOMBIE for member in alive if member.is_running())


def test_device_is_enrolled_and_measures(
    script: Script, hub: ScriptedHub, device: Device, body: MakeBody, tmp_path: Path
) -> None:
    script.add(body("a", "b"), tmp_path)
    assert device.run("--leases", "1", enrolment=f"{hub.url}#{CODE}") == 0
    (enrolled,) = hub.calls("/enroll")
    assert enrolled.json()["capabilities"]["runtimes"]["onnxruntime"]
    (result,) = hub.calls("/leases/1/result")
    found = [Measurement.from_dict(item) for item in result.json()["measurements"]]
    assert [item.label for item in found] == ["a", "b"]
    for item in found:
        assert item.has_figures, item.reason
        assert item.protocol["checked_by"] == "device"
        assert item.fingerprint["loaded"]["onnxruntime"]
        assert item.protocol["output"]["is_checked"]
    assert device.state.stat().st_mode & 0o777 == 0o600
    assert not list((device.agents / "pi" / "blobs").iterdir())
    # Later starts need the name alone.
    script.add(body("a"), tmp_path)
    assert device.run("pi", "--leases", "1") == 0
    assert hub.calls("/leases/2/result")
    assert len(hub.calls("/enroll")) == 1


def test_certificate_of_the_enrolment_is_the_only_one(script: Script, device: Device, certificate: Certificate) -> None:
    with scripted_hub(script, certificate) as server:
        right = f"{server.url}#{CODE}#sha256:{certificate.fingerprint}"
        assert device.run("--leases", "0", enrolment=right) == 0
        assert json.loads(device.state.read_text())["fingerprint"] == f"sha256:{certificate.fingerprint}"
        before = len(server.asked)
        assert device.run(enrolment=f"{server.url}#{CODE}#sha256:{'0' * 64}") == 1
        assert device.run(enrolment=f"{server.url}#{CODE}") == 1
        assert len(server.asked) == before
    assert "shows the certificate sha256:" in device.log.read_text()
    assert "is not trusted" in device.log.read_text()


def test_secrets_are_in_no_argument_and_no_environment_of_a_child(
    script: Script, hub: ScriptedHub, device: Device, body: MakeBody, tmp_path: Path
) -> None:
    script.add(body(**ENDLESS), tmp_path)
    with device.started(enrolment=f"{hub.url}#{CODE}") as process:
        for child in timing(process, hub):
            with contextlib.suppress(psutil.NoSuchProcess):
                told = " ".join([*child.cmdline(), *child.environ(), *child.environ().values()])
                assert TOKEN not in told
                assert CODE not in told
                assert "BENCH" not in told
        assert TOKEN not in " ".join(psutil.Process(process.pid).cmdline())


def test_sigterm_gives_the_lease_back_and_ends_everything(
    script: Script, hub: ScriptedHub, device: Device, body: MakeBody, tmp_path: Path
) -> None:
    script.add(body(**ENDLESS), tmp_path)
    with device.started(enrolment=f"{hub.url}#{CODE}") as process:
        children = timing(process, hub)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
        assert have_ended(children)
    (failure,) = hub.calls("/leases/1/fail")
    assert failure.json() == {"kind": "unhealthy", "reason": "the agent was stopped"}
    assert "stopped" in device.log.read_text()


def test_sigterm_ends_an_idle_agent_at_once(hub: ScriptedHub, device: Device) -> None:
    with device.started(enrolment=f"{hub.url}#{CODE}") as process:
        hub.wait_for("/lease", count=2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0


def test_killed_agent_leaves_no_child_and_the_next_one_tells(
    script: Script, hub: ScriptedHub, device: Device, body: MakeBody, tmp_path: Path
) -> None:
    script.add(body(**ENDLESS), tmp_path)
    with device.started(enrolment=f"{hub.url}#{CODE}") as process:
        children = timing(process, hub)
        process.kill()
        process.wait(LIMIT_S)
        if sys.platform == "linux":
            assert have_ended(children)
    script.add(body("a"), tmp_path)
    assert device.run("pi", "--leases", "1") == 0
    (failure,) = hub.calls("/leases/1/fail")
    assert failure.json()["kind"] == "device_lost"
    assert hub.calls("/leases/2/result")


def test_two_agents_of_one_runner_do_not_run(hub: ScriptedHub, device: Device) -> None:
    with device.started(enrolment=f"{hub.url}#{CODE}"):
        hub.wait_for("/lease")
        assert device.run("pi") == 1
    assert "another agent serves 'pi' here" in device.log.read_text()


def test_agent_that_was_removed_ends_with_a_status_of_its_own(hub: ScriptedHub, device: Device) -> None:
    assert device.run("--leases", "0", enrolment=f"{hub.url}#{CODE}") == 0
    hub.answer = lambda asked: Answer(401, {"error": "no such token"})
    assert device.run("pi") == 3
    assert "run `bench runners register NAME`" in device.log.read_text()


def test_settings_are_kept_for_later_starts(hub: ScriptedHub, device: Device) -> None:
    words = ("--keep-mib", "5", "--require-check")
    assert device.run("--leases", "0", *words, enrolment=f"{hub.url}#{CODE}") == 0
    assert device.run("pi", "--leases", "0", "--no-require-check") == 0
    kept = json.loads(device.state.read_text())["settings"]
    assert kept == {"driver": "local", "keep_mib": 5, "require_check": False}


@pytest.mark.parametrize(
    ("words", "enrolment", "told"),
    [
        ((), None, "no runner is named; none is enrolled in"),
        (("pi",), None, "'pi' is not enrolled here"),
        (("../x",), None, "no name of a runner"),
        ((), "nonsense", "BENCH_ENROL holds no enrolment"),
        ((), "http://192.0.2.1:1#a-code-of-this-tes", "https is needed"),
        (("--driver", "adb"), "http://127.0.0.1:1#a-code-of-this-tes", "driver adb without --serial"),
        (("--keep-mib", "-1"), "http://127.0.0.1:1#a-code-of-this-tes", "--keep-mib -1"),
    ],
)
def test_mistakes_are_told_in_one_line(
    device: Device, words: tuple[str, ...], enrolment: str | None, told: str
) -> None:
    assert device.run(*words, enrolment=enrolment) == 1
    lines = device.log.read_text().splitlines()
    assert len(lines) == 1, lines
    assert told in lines[0]


def test_used_code_is_told(hub: ScriptedHub, device: Device) -> None:
    assert device.run(enrolment=f"{hub.url}#another-code") == 1
    assert "the hub does not take the code (no such code (HTTP 403))" in device.log.read_text()
    assert not device.state.exists()
