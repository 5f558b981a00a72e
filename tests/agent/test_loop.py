from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bench.agent.blobs import BlobCache
from bench.agent.drivers import DriverError
from bench.agent.enrolment import Identity
from bench.agent.journal import Journal
from bench.agent.loop import Agent
from bench.agent.reporting import TokenRefusedError
from bench.agent.stopping import SIGNALS, Stop, Stopped
from bench.agent.transport import Hub
from bench.measure import Measurement

from .conftest import MakeBody, lease_of
from .scripted_device import ScriptedDevice
from .scripted_hub import Answer, Asked, ScriptedHub, scripted_hub


@dataclass
class Script:
    """Hands out leases, holds files, and keeps results; `overrides` answer in its place."""

    leases: list[dict[str, Any]] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    results: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    overrides: dict[str, Callable[[Asked], Answer | None]] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Answer:
        what = asked.path.partition("?")[0]
        for ending, override in self.overrides.items():
            if what.endswith(ending) and (answer := override(asked)) is not None:
                return answer
        match what.rpartition("/")[2]:
            case "capabilities":
                return Answer(204)
            case "lease":
                return Answer(body=self.leases.pop(0)) if self.leases else Answer(204)
            case "heartbeat" | "look":
                return Answer(body={"action": "continue"})
            case "result":
                self.results.append({"fence": int(what.split("/")[3]), **asked.json()})
            case "fail":
                self.failures.append({"fence": int(what.split("/")[3]), **asked.json()})
            case name:
                return Answer(body=self.contents[name])
        return Answer(body={})

    def add(self, body: dict[str, Any], folder: Path, **changes: Any) -> None:
        """A lease, and the files of its job from the folder that they were made in."""
        self.leases.append(lease_of(body, fence=len(self.leases) + 1, **changes))
        for path in folder.glob("*.onnx"):
            content = path.read_bytes()
            self.contents[hashlib.sha256(content).hexdigest()] = content


@dataclass
class Setting:
    """A hub, a device and an agent between them."""

    script: Script
    server: ScriptedHub
    device: ScriptedDevice
    agent: Agent
    told: list[str]
    folder: Path


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    script, told, device = Script(), list[str](), ScriptedDevice()
    with scripted_hub(script) as server:
        hub = Hub(server.url, token="t" * 43, timeout_s=5.0, told=told.append, sleep=lambda seconds: None)
        folder = tmp_path / "agent"
        folder.mkdir(mode=0o700)
        identity = Identity(url=server.url, fingerprint=None, runner_id="r1", name="pi", token="t" * 43, wait_s=0.0)
        agent = Agent(
            hub,
            identity,
            device,
            BlobCache(folder / "blobs"),
            Journal(folder),
            Stop(),
            told.append,
            pause=lambda seconds: None,
        )
        yield Setting(script, server, device, agent, told, folder)
        hub.close()


def is_clean(setting: Setting) -> bool:
    """Whether nothing of a lease is left on the disk."""
    return [path.name for path in setting.folder.rglob("*")] == ["blobs"]


def test_lease_from_request_to_result(setting: Setting, body: MakeBody, tmp_path: Path) -> None:
    setting.script.add(body("a", "b"), tmp_path)
    setting.agent.run(most=1)
    (job, files) = setting.device.seen[0]
    assert [artifact.label for artifact in job.artifacts] == ["a", "b"]
    assert files["a"] == (tmp_path / "a.onnx").read_bytes()
    (result,) = setting.script.results
    assert result["fence"] == 1
    assert [Measurement.from_dict(found).label for found in result["measurements"]] == ["a", "b"]
    assert setting.server.calls("/capabilities")[0].json() == {"driver": "scripted", "kind": "cpu", "noise": None}
    assert setting.server.calls("/lease")[0].path == "/v1/runners/r1/lease?wait=0"
    assert setting.server.calls("/heartbeat")
    assert is_clean(setting)
    assert all(asked.headers["authorization"] == f"Bearer {'t' * 43}" for asked in setting.server.asked)
    assert not any("ttt" in line for line in setting.told)


def test_agent_asks_again_while_there_is_nothing(setting: Setting, body: MakeBody, tmp_path: Path) -> None:
    answers = iter([Answer(204), Answer(204), Answer(503), Answer(200, b"<html>"), Answer(302)])
    setting.script.overrides["/lease"] = lambda asked: next(answers, None)
    setting.script.add(body(), tmp_path)
    setting.agent.run(most=1)
    assert len(setting.script.results) == 1
    assert any("no work to be had" in line for line in setting.told)


def test_one_lease_after_the_other(setting: Setting, body: MakeBody, tmp_path: Path) -> None:
    for _ in range(3):
        setting.script.add(body(), tmp_path)
    setting.agent.run(most=3)
    assert [result["fence"] for result in setting.script.results] == [1, 2, 3]


def test_hub_says_what_is_enough(setting: Setting, body: MakeBody, tmp_path: Path) -> None:
    actions = iter(["continue", "enough"])
    setting.script.overrides["/look"] = lambda asked: Answer(body={"action": next(actions)})
    setting.device.looks = 2
    setting.script.add(body(), tmp_path)
    setting.agent.run(most=1)
    assert setting.device.enough == [False, True]
    assert setting.server.calls("/look")[0].json()["measurements"][0]["label"] == "network"


def test_measuring_goes_on_without_the_hub(setting: Setting, body: MakeBody, tmp_path: Path) -> None:
    setting.script.overrides["/look"] = lambda asked: Answer(503)
    answers = iter([Answer(503)] * 6)
    setting.script.overrides["/result"] = lambda asked: next(answers, None)
    setting.device.looks = 1
    setting.script.add(body(), tmp_path)
    setting.agent.run(most=1)
    assert setting.device.enough == [False]
    assert len(setting.script.results) == 1
    retries = [line for line in setting.told if line.startswith("PUT /v1/leases/1/result: Service Unavailable")]
    assert len(retries) == 6


# A lease that comes to nothing.


def test_job_that_is_refused_is_told_of(setting: Setting, body: MakeBody, tmp_path: Path) -> None:
    found = body()
    found["job"]["artifacts"][0]["path"] = "/etc/passwd"
    setting.script.add(found, tmp_path)
    setting.agent.run(most=1)
    (failure,) = setting.script.failures
    assert failure["kind"] == "unsupported"
    assert "names a path" in failure["reason"]
    assert (setting.device.seen, is_clean(setting)) == ([], True)


def test_lease_that_makes_no_sense_is_given_back(setting: Setting, body: MakeBody, tmp_path: Path) -> None:
    setting.script.add(body(), tmp_path, max_s=1e9)
    setting.script.add(body(), tmp_path)
    setting.agent.run(most=1)
    assert [(failure["fence"], failure["kind"]) for failure in setting.script.failures] == [(1, "unsupported")]
    assert [result["fence"] for result in setting.script.results] == [2]


@pytest.mark.parametrize(
    ("error", "kind"),
    [(DriverError("device_lost", "it is gone"), "device_lost"), (ZeroDivisionError("a mistake"), "unhealthy")],
)
def test_failure_of_the_device_is_told_of(
    setting: Setting, body: MakeBody, tmp_path: Path, error: Exception, kind: str
) -> None:
    def fail() -> None:
        raise error

    setting.device.meanwhile = fail
    setting.script.add(body(), tmp_path)
    setting.script.add(body(), tmp_path)
    setting.agent.run(most=2)  # and the agent lives on
    assert [failure["kind"] for failure in setting.script.failures] == [kind, kind]
    assert str(error) in setting.script.failures[0]["reason"]
    assert is_clean(setting)


def test_job_that_takes_too_long_is_ended(setting: Setting, body: MakeBody, tmp_path: Path) -> None:
    setting.device.hangs = True
    setting.script.add(body(), tmp_path, max_s=0.05)
    setting.agent.run(most=1)
    assert [failure["kind"] for failure in setting.script.failures] == ["timeout"]


@pytest.mark.parametrize(
    ("ending", "answer"),
    [
        ("/heartbeat", Answer(body={"action": "cancel"})),
        ("/heartbeat", Answer(409, {"error": "stale"})),
        ("/look", Answer(body={"action": "cancel"})),
        ("/look", Answer(409, {"error": "stale"})),
    ],
)
def test_lease_that_is_not_ours_any_more_is_given_up(
    setting: Setting, body: MakeBody, tmp_path: Path, ending: str, answer: Answer
) -> None:
    setting.device.hangs, setting.device.looks = True, 1
    setting.script.overrides[ending] = lambda asked: answer
    setting.script.add(body(), tmp_path)
    setting.agent.run(most=1)
    assert (setting.script.results, setting.script.failures) == ([], [])
    assert any(line.startswith("lease 1: given up: ") for line in setting.told)
    assert is_clean(setting)


@pytest.mark.parametrize("status", [403, 404, 409])
def test_stale_result_is_dropped(setting: Setting, body: MakeBody, tmp_path: Path, status: int) -> None:
    setting.script.overrides["/result"] = lambda asked: Answer(status, {"error": "the fence 1 is stale"})
    setting.script.add(body(), tmp_path)
    setting.agent.run(most=1)
    assert any("its result is dropped" in line and "the fence 1 is stale" in line for line in setting.told)
    assert (setting.script.failures, is_clean(setting)) == ([], True)


@pytest.mark.parametrize("status", [401, 403, 404, 409])
@pytest.mark.parametrize("ending", ["/result", "/heartbeat", "/lease"])
def test_words_of_what_stands_before_a_hub_cost_no_result(
    setting: Setting, body: MakeBody, tmp_path: Path, ending: str, status: int
) -> None:
    strange = iter([Answer(status, b"<html>starting", headers={"Content-Type": "text/html"})] * 2)
    setting.script.overrides[ending] = lambda asked: next(strange, None)
    setting.script.add(body(), tmp_path)
    setting.agent.run(most=1)
    assert (len(setting.script.results), setting.script.failures) == (1, [])
    assert is_clean(setting)


@pytest.mark.parametrize(("status", "kind"), [(413, "unsupported"), (422, "unsupported"), (500, "unhealthy")])
def test_result_that_the_hub_does_not_take_is_a_failure(
    setting: Setting, body: MakeBody, tmp_path: Path, status: int, kind: str
) -> None:
    setting.script.overrides["/result"] = lambda asked: Answer(status)
    setting.script.add(body(), tmp_path)
    setting.agent.run(most=1)
    assert [failure["kind"] for failure in setting.script.failures] == [kind]
    assert is_clean(setting)


@pytest.mark.parametrize("ending", ["/capabilities", "/lease", "/heartbeat", "/look", "/result", "/fail"])
def test_agent_that_was_removed_ends(setting: Setting, body: MakeBody, tmp_path: Path, ending: str) -> None:
    setting.script.overrides[ending] = lambda asked: Answer(401, {"error": "no such token"})
    found = body()
    if ending == "/fail":
        found["max_s"] = -1.0
    setting.device.looks, setting.device.hangs = 1, ending == "/heartbeat"
    setting.script.add(found, tmp_path, max_s=60.0)
    with pytest.raises(TokenRefusedError, match="runners register"):
        setting.agent.run()
    assert is_clean(setting)


# After an agent that was killed.


def test_lease_that_was_left_open_is_told_of(setting: Setting, body: MakeBody, tmp_path: Path) -> None:
    Journal(setting.folder).begin(41)
    setting.script.add(body(), tmp_path)
    setting.agent.run(most=1)
    (failure,) = setting.script.failures
    assert (failure["fence"], failure["kind"]) == (41, "device_lost")
    assert is_clean(setting)


def test_result_that_was_left_is_delivered_as_it_was(setting: Setting) -> None:
    Journal(setting.folder).begin(41)
    Journal(setting.folder).keep(b'{"measurements":[]}')
    setting.agent.run(most=0)
    assert setting.script.results == [{"fence": 41, "measurements": []}]
    assert setting.server.calls("/result")[0].body == b'{"measurements":[]}'
    assert (setting.script.failures, is_clean(setting)) == ([], True)


def test_device_that_is_not_there_yet_is_waited_for(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([DriverError("device_lost", "unplugged")])

    def capabilities() -> dict[str, Any]:
        for error in answers:
            raise error
        return {"kind": "cpu"}

    monkeypatch.setattr(setting.device, "capabilities", capabilities)
    setting.agent.run(most=0)
    assert len(setting.server.calls("/capabilities")) == 1
    assert any("the device cannot be used: unplugged" in line for line in setting.told)


# Signals.


@pytest.fixture
def listening(setting: Setting) -> Iterator[Setting]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    setting.agent.stop.listen()
    yield setting
    for number, handler in before.items():
        signal.signal(number, handler)


def ask_to_stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_stop_during_a_job_gives_the_lease_back(listening: Setting, body: MakeBody, tmp_path: Path) -> None:
    listening.device.meanwhile, listening.device.hangs = ask_to_stop, True
    listening.script.add(body(), tmp_path)
    with pytest.raises(Stopped):
        listening.agent.run()
    (failure,) = listening.script.failures
    assert (failure["kind"], failure["reason"]) == ("unhealthy", "the agent was stopped")
    assert is_clean(listening)


def test_stop_while_files_come_gives_the_lease_back(listening: Setting, body: MakeBody, tmp_path: Path) -> None:
    def stop(asked: Asked) -> None:
        ask_to_stop()

    listening.script.add(body(), tmp_path)
    for name in listening.script.contents:
        listening.script.overrides[name] = stop
    with pytest.raises(Stopped):
        listening.agent.run()
    assert [failure["kind"] for failure in listening.script.failures] == ["unhealthy"]
    assert is_clean(listening)


def test_stop_without_a_hub_leaves_the_rest_to_the_next_start(
    listening: Setting, body: MakeBody, tmp_path: Path
) -> None:
    listening.device.meanwhile, listening.device.hangs = ask_to_stop, True
    listening.script.overrides["/fail"] = lambda asked: Answer(503)
    listening.script.add(body(), tmp_path)
    with pytest.raises(Stopped):
        listening.agent.run()
    assert listening.script.failures == []
    del listening.script.overrides["/fail"]
    replace(listening.agent, stop=Stop()).run(most=0)
    assert [(found["fence"], found["kind"]) for found in listening.script.failures] == [(1, "device_lost")]
    assert is_clean(listening)


def test_result_that_cannot_be_delivered_outlives_the_agent(listening: Setting, body: MakeBody, tmp_path: Path) -> None:
    def stop(asked: Asked) -> Answer:
        ask_to_stop()
        return Answer(503)

    listening.script.overrides["/result"] = stop
    listening.script.add(body(), tmp_path)
    with pytest.raises(Stopped):
        listening.agent.run()
    assert listening.script.results == []
    del listening.script.overrides["/result"]
    replace(listening.agent, stop=Stop()).run(most=0)
    assert [result["fence"] for result in listening.script.results] == [1]
    assert is_clean(listening)
