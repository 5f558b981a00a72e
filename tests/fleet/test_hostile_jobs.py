"""Jobs that mean harm, all the way from a client that looks into nothing to the device: each costs itself alone.

The hub is real and so is the agent's loop. Where a file is the weapon, the device has the worker and ONNX Runtime that
every device has; where the worker itself misbehaves, a scripted child takes its place, since no file is known that
makes the real one do so.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from measure.checks.onnx_models import model, node, sound
from measure.checks.test_external_data import WHERE
from measure.checks.test_hostile_files import runs_for_ever, runs_out_of_memory
from measure.checks.test_onnx_file import bomb
from measure.conftest import SCRIPTED

from bench.agent.drivers.local import LocalDriver
from bench.fleet.client import HubClient
from bench.fleet.following import Ended, follow
from bench.fleet.shipping import pack, ship
from bench.measure.job import Job, JobArtifact

from .agents import Looping, looping
from .hubs import Served, served, until
from .networks import job_of, tiny

NAME = "pi5"
SECRET = b"\0\0\x80?" * 64
# The arguments of a process that a misbehaving child leaves behind; nobody else's has them.
SLEEP_S = f"{1000 + os.getpid()}.5"


@dataclass(frozen=True)
class Place:
    """A hub, a device that works, and files."""

    hub: Served
    agent: Looping
    folder: Path

    def do(self, job: Job) -> tuple[str, Ended]:
        """A job from its submission to its end, as a client that looks into nothing has it; its id comes first."""
        job_id = self.submit(job)
        with closing(self.client()) as client:
            ended = follow(client, job_id, NAME, told=lambda sign: None, over=threading.Event())
        assert ended is not None
        return job_id, ended

    def submit(self, job: Job) -> str:
        with closing(self.client()) as client:
            return ship(pack(job, runner=NAME), client, key=uuid.uuid4().hex)

    def attempts(self, job_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.hub.admin.get(f"/v1/jobs/{job_id}").json["attempts"]
        return found

    def check_sound(self, reference: JobArtifact) -> None:
        """The next job goes well, the runner is trusted, and nothing lies about."""
        _, ended = self.do(job_of(tiny(self.folder / "sound.onnx"), reference=reference))
        assert ended.status == "done", ended
        assert ended.measurements[0].has_figures, ended.measurements[0].reason
        assert self.status()[0] == "ready"
        assert self.hub.nobody.get("/v1/health").status == 200
        assert not list(self.agent.blobs.iterdir())

    def status(self) -> tuple[str, str | None]:
        found = self.hub.admin.get(f"/v1/runners/{NAME}").json
        return found["status"], found["reason"]

    def client(self) -> HubClient:
        assert self.hub.admin.token is not None
        return HubClient(self.hub.server.address, self.hub.admin.token)


@pytest.fixture(scope="module")
def device(shared_hub: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One with the real worker."""
    folder = tmp_path_factory.mktemp("device")
    driver = LocalDriver(lock=folder / "lock")
    with looping(shared_hub, folder / "agent", driver) as agent:
        yield Place(hub=shared_hub, agent=agent, folder=folder)


@pytest.fixture(scope="module")
def reference(device: Place) -> JobArtifact:
    return tiny(device.folder / "reference.onnx")


@pytest.fixture
def sick(tmp_path: Path, empty_db: Path) -> Iterator[Place]:
    """A device whose child processes do what the label of an artifact says."""
    script = tmp_path / "scripted.py"
    script.write_text(SCRIPTED.replace('"1000"', f'"{SLEEP_S}"'))
    with served(tmp_path, empty_db, limits={"backoff_s": 0.05}) as hub:
        driver = LocalDriver(lock=tmp_path / "lock", command=(sys.executable, "-I", str(script)))
        with looping(hub, tmp_path / "agent", driver) as agent:
            yield Place(hub=hub, agent=agent, folder=tmp_path)


def file_of(path: Path, content: bytes) -> JobArtifact:
    path.write_bytes(content)
    return JobArtifact(label=path.stem, path=str(path), format="onnx", sha256=hashlib.sha256(content).hexdigest())


LINKS = ("hard link", "symbolic link", "absolute", "above", "file of the lease")
# Where in a file a tensor stands whose data are said to be elsewhere, and where that is.
ELSEWHERE = [
    *(("initializer", link) for link in LINKS),
    *((where, "hard link") for where in ("Constant", "sparse values", "sparse Constant, indices", "function")),
]
BAD: Mapping[str, tuple[Callable[[], bytes], str]] = {
    "bomb": (bomb, "has 40000000000 bytes; at most"),
    "custom": (lambda: model([node("Relu", domain="evil")]).SerializeToString(), "operator evil::Relu"),
    "engine": (lambda: model([node("EPContext", domain="com.microsoft")]).SerializeToString(), "EPContext"),
    "ort": (lambda: b"\x12\x06\0\0ORTM" + sound().SerializeToString(), "ONNX Runtime's own format"),
    "cut": (lambda: sound().SerializeToString()[:-60], "no ONNX model"),
    "pickle": (lambda: pickle.dumps(os.getpid), "no ONNX model"),
}


def check_refused(device: Place, reference: JobArtifact, content: bytes, reason: str) -> None:
    """As the reference a file fails the whole job at its first attempt."""
    weapon = file_of(device.folder / "weapon.onnx", content)
    job_id, ended = device.do(job_of(replace(reference, label="network"), reference=weapon))
    assert (ended.status, ended.kind) == ("failed", "artifact_invalid")
    assert reason in str(ended.reason)
    assert [attempt["kind"] for attempt in device.attempts(job_id)] == ["artifact_invalid"]
    assert device.status()[0] == "ready"


@pytest.mark.parametrize(("where", "link"), ELSEWHERE)
def test_data_in_another_file_of_the_device_is_not_reached(
    device: Place, reference: JobArtifact, where: str, link: str
) -> None:
    secret = device.folder / "secret"
    secret.write_bytes(SECRET)
    # Where a lease's files lie; nobody but the agent's own user could put a link there.
    for name, make in (("hard", Path.hardlink_to), ("symbolic", Path.symlink_to)):
        (device.agent.blobs / name).unlink(missing_ok=True)
        make(device.agent.blobs / name, secret)
    location = {
        "hard link": "hard",
        "symbolic link": "symbolic",
        "absolute": str(secret),
        "above": "../../secret",
        "file of the lease": reference.sha256,
    }[link]
    check_refused(device, reference, WHERE[where](location).SerializeToString(), "has its data in another file")
    assert secret.read_bytes() == SECRET
    assert not list(device.agent.blobs.iterdir())


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_plain_network_is_not_loaded(device: Place, reference: JobArtifact, name: str) -> None:
    make, reason = BAD[name]
    check_refused(device, reference, make(), reason)


def test_a_bad_artifact_costs_itself_and_not_its_neighbours(device: Place, reference: JobArtifact) -> None:
    weapons = [file_of(device.folder / f"{name}.onnx", make()) for name, (make, _) in BAD.items()]
    network = tiny(device.folder / "network.onnx", layers=2)
    job_id, ended = device.do(job_of(*weapons, network, reference=reference))
    assert ended.status == "done", ended
    *refused, good = ended.measurements
    for found, (_, reason) in zip(refused, BAD.values(), strict=True):
        assert found.verdict == "failed"
        assert reason in str(found.reason)
    assert good.has_figures, good.reason
    assert len(device.attempts(job_id)) == 1
    device.check_sound(reference)


def test_what_no_check_can_see_ends_at_the_limits_of_its_child(device: Place, reference: JobArtifact) -> None:
    weapons = [
        file_of(device.folder / "memory.onnx", runs_out_of_memory().SerializeToString()),
        file_of(device.folder / "loop.onnx", runs_for_ever().SerializeToString()),
    ]
    network = tiny(device.folder / "network.onnx", layers=2)
    job = job_of(*weapons, network, reference=reference, memory_mib=4096, deadline_s=6.0)
    _, ended = device.do(job)
    assert ended.status == "done", ended
    memory, loop, good = ended.measurements
    assert "Failed to allocate memory" in str(memory.reason)
    assert "no answer within its deadline" in str(loop.reason)
    assert good.has_figures, good.reason
    device.check_sound(reference)


def test_a_file_that_changed_on_the_hubs_disk_is_not_used(device: Place, reference: JobArtifact) -> None:
    """It is hashed again on the device; what the hub gives under a hash is not believed."""
    network = tiny(device.folder / "changed.onnx", layers=3)
    place = device.hub.folder / "blobs" / network.sha256
    with closing(device.client()) as client:
        client.put_blob(network.sha256, Path(network.path))
        place.chmod(0o600)
        content = place.read_bytes()
        place.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        job_id = ship(pack(job_of(network, reference=reference), runner=NAME), client, key=uuid.uuid4().hex)
        until(lambda: device.attempts(job_id) and device.attempts(job_id)[0]["kind"])
        client.cancel(job_id)
    first = device.attempts(job_id)[0]
    assert first["kind"] == "unhealthy"
    assert "the hub gave something else for file" in first["reason"]
    place.unlink()
    device.check_sound(reference)


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("flood-load", "it flooded its output"),
        ("hang-load", "no answer within its deadline"),
        ("crash-load", "SIGSEGV"),
        ("exit-load", "ended with status 3: out of luck"),
        ("garbage-time", "no JSON object"),
        ("family", "were asked for and none came"),
    ],
)
def test_a_worker_that_floods_hangs_or_forks_costs_its_artifact_alone(sick: Place, label: str, reason: str) -> None:
    weapon, other, reference = scripted(sick, label, "other", "reference")
    _, ended = sick.do(job_of(weapon, other, reference=reference, deadline_s=4.0))
    assert ended.status == "done", ended
    harmful, good = ended.measurements
    assert harmful.verdict == "failed"
    assert reason in str(harmful.reason)
    assert good.has_figures, good.reason
    until(lambda: not left_behind())
    assert sick.status()[0] == "ready"
    assert not list(sick.agent.blobs.iterdir())


def test_a_reference_that_crashes_its_worker_is_tried_again_and_two_blame_the_runner(sick: Place) -> None:
    network, other, first, second = scripted(sick, "network", "other", "crash", "crash")
    job_id, ended = sick.do(job_of(network, reference=first))
    assert (ended.status, ended.kind) == ("failed", "worker_crash")
    assert [attempt["kind"] for attempt in sick.attempts(job_id)] == ["worker_crash"] * 3
    assert sick.status()[0] == "ready"
    job_id = sick.submit(job_of(other, reference=second))
    until(lambda: sick.status()[0] == "quarantined")
    assert sick.status()[1] == "its worker crashed twice in a row, on different artifacts"
    until(lambda: sick.hub.admin.get(f"/v1/jobs/{job_id}").json["status"] == "queued")
    assert len(sick.attempts(job_id)) == 1


def scripted(sick: Place, *labels: str) -> list[JobArtifact]:
    """Files of different content, with what the scripted child makes of every one."""
    files = (tiny(sick.folder / f"{index}.onnx", layers=index + 1) for index in range(len(labels)))
    return [replace(file, label=label, logits=(1.0, 2.0)) for file, label in zip(files, labels, strict=True)]


def left_behind() -> list[int]:
    """Processes that a misbehaving child has started."""
    return [found.pid for found in psutil.process_iter(["cmdline"]) if found.info["cmdline"] == ["sleep", SLEEP_S]]
