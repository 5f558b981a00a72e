"""What travels of a job, and that it travels once."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bench.agent.wire import files_of, read_job
from bench.errors import FleetError
from bench.fleet.client import HubClient, RefusedError
from bench.fleet.shipping import key_of, most_seconds, pack, ship
from bench.measure.job import Job, JobArtifact

from .examples import RUNNER, sha_of
from .hubs import Served
from .packages import packed


def client_of(hub: Served) -> HubClient:
    assert hub.admin.token is not None
    return HubClient(hub.server.address, hub.admin.token)


def test_a_device_reads_what_is_sent(tmp_path: Path) -> None:
    job = packed(tmp_path, b"network", b"other")
    body = json.loads(json.dumps(pack(job, runner=RUNNER).body))
    read = read_job(body, Path("device"))
    assert [artifact.sha256 for artifact in read.artifacts] == [sha_of(b"network"), sha_of(b"other")]
    assert not any(artifact.is_checked for artifact in (read.reference, *read.artifacts))
    assert {label: files[0].num_bytes for label, files in files_of(body).items()} == {
        "reference": 9, "network-0": 7, "network-1": 5,
    }  # fmt: skip
    assert str(tmp_path) not in json.dumps(body)


def test_a_package_goes_as_the_files_that_may_be_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "network.mlpackage"
    model = folder / "Data" / "com.apple.CoreML" / "model.mlmodel"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"model")
    (folder / "Manifest.json").write_text("{}")
    (folder / "notes.txt").write_text("of nobody's business")
    listing = f"{sha_of(b'model')}  Data/com.apple.CoreML/model.mlmodel\n"
    artifact = JobArtifact(
        label="network-0", path=str(folder), format="mlpackage", sha256=sha_of(listing.encode()), resolution=16
    )
    job = Job(
        artifacts=(artifact,),
        reference=replace(artifact, label="reference"),
        resolution=16,
        runner="apple",
        runtime="coreml",
        precision="fp16",
    )
    package = pack(job, runner=RUNNER)
    assert [found["name"] for found in package.body["files"]["network-0"]] == [
        "Data/com.apple.CoreML/model.mlmodel",
        "Manifest.json",
    ]
    assert set(package.files) == {sha_of(b"model"), sha_of(b"{}")}
    read_job(json.loads(json.dumps(package.body)), Path("device"))


def test_a_body_is_the_same_wherever_its_files_lie(tmp_path: Path) -> None:
    here, there = (pack(packed(tmp_path / name, b"network"), runner=RUNNER) for name in ("here", "there"))
    other = pack(packed(tmp_path / "other", b"another"), runner=RUNNER)
    assert here.digest() == there.digest() != other.digest()
    assert key_of(here, "study", 1) == key_of(there, "study", 1)
    assert len({key_of(here, "study", 1), key_of(here, "study", 2), key_of(other, "study", 1)}) == 3


def test_the_device_has_as_long_as_the_session_may_take(tmp_path: Path) -> None:
    job = packed(tmp_path, b"network", limit_s=60.0, deadline_s=10.0)
    assert most_seconds(job) == 60.0 + 3 * 10.0
    assert most_seconds(packed(tmp_path, b"network", limit_s=6 * 3600.0)) == 6 * 3600.0


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    job = packed(tmp_path, b"network")
    (tmp_path / "network-0.onnx").unlink()
    with pytest.raises(FleetError, match=r"network-0.onnx cannot be read \(No such file or directory\)"):
        pack(job, runner=RUNNER)


def test_the_same_key_gives_the_same_job_whoever_sends_at_once(hub: Served, tmp_path: Path) -> None:
    hub.enrol()
    package = pack(packed(tmp_path, b"network"), runner=RUNNER)
    found: list[str] = []

    def send() -> None:
        with closing(client_of(hub)) as client:
            found.append(ship(package, client, key="one"))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    with closing(client_of(hub)) as client:
        assert ship(package, client, key="two") != found[0]


def test_what_the_hub_does_not_take_is_told(hub: Served, tmp_path: Path) -> None:
    package = pack(packed(tmp_path, b"network"), runner="pixel9")
    with pytest.raises(RefusedError, match="no runner 'pixel9'") as caught, closing(client_of(hub)) as client:
        ship(package, client, key="one")
    assert caught.value.status == 404
