"""The one file that a device runs, and a hub: both real, from the enrolment to a judged measurement."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from command import ROOT, surroundings
from measure import conftest as measuring

from bench.fleet.certificates import ensure_certificate
from bench.fleet.client import HubClient
from bench.fleet.measuring import find_runner, measure_remotely
from bench.fleet.shipping import pack, ship
from bench.measure import Job

from .hubs import Served, served, until

NAME = "pi5"
LIMIT_S = 120.0
# Long enough to be broken off, and told of while it goes on.
LONG: Mapping[str, Any] = {"warmup_window": 1000, "warmup_least_ms": 800.0, "warmup_ms": 1000.0}
TALKATIVE = {"heartbeat_s": 0.1}

# Fixtures: small ONNX files, and jobs of them.
convolution, job = measuring.convolution, measuring.job

MakeJob = Callable[..., Job]


@pytest.fixture
def work(job: MakeJob, convolution: measuring.MakeOnnx) -> MakeJob:
    """Makes a job of one network and the reference."""

    def make(**settings: Any) -> Job:
        return job(convolution("network", layers=2), **settings)

    return make


@contextmanager
def agent(folder: Path, *words: str, line: str | None = None) -> Iterator[subprocess.Popen[str]]:
    """The file, started as on a device; killed at the end unless it has ended."""
    enrolment = {} if line is None else {"BENCH_ENROL": line}
    with subprocess.Popen(
        [sys.executable, str(ROOT / "runners" / "agent.py"), *words, "--folder", str(folder)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=surroundings() | enrolment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def client_of(hub: Served) -> Iterator[HubClient]:
    assert hub.admin.token is not None
    with closing(HubClient(hub.server.address, hub.admin.token)) as client:
        yield client


def line_of(client: HubClient) -> str:
    """The line that `bench runners register` prints."""
    code, _ = client.add_enrolment(NAME)
    url, mark, fingerprint = str(client.address).partition("#")
    return f"{url}#{code}{mark}{fingerprint}"


def is_there(client: HubClient) -> bool:
    return any(state.name == NAME for state in client.runners())


def is_measuring(client: HubClient, job_id: str) -> bool:
    return (client.job(job_id).get("progress") or {}).get("phase") == "measuring"


def has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def attempts(client: HubClient, job_id: str) -> list[tuple[str, str | None]]:
    return [(attempt["status"], attempt["kind"]) for attempt in client.job(job_id)["attempts"]]


def test_a_device_measures_for_a_hub_with_tls(tmp_path: Path, empty_db: Path, work: MakeJob) -> None:
    mine, key = tmp_path / "mine.pem", tmp_path / "mine.key"
    ensure_certificate(mine, key, host="127.0.0.1")
    with served(tmp_path, empty_db, certificate=mine, key=key) as hub, client_of(hub) as client:
        line = line_of(client)
        assert line.count("#") == 2
        with agent(tmp_path / "agents", "--leases", "1", line=line) as process:
            until(lambda: is_there(client))
            runner = find_runner(client, NAME)
            assert (runner.kind, "onnxruntime" in runner.runtimes) == ("cpu", True)
            words = Path(f"/proc/{process.pid}/cmdline")
            assert not words.exists() or line.split("#")[1] not in words.read_text()
            (found,) = measure_remotely(work(), NAME, client)
            _, told = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, told
        assert found.has_figures, found.reason
        assert (found.runner, found.device_kind, found.label) == (NAME, "cpu", "network")
        assert found.protocol["checked_by"] == "device"
        assert found.protocol["output"]["is_checked"]
        state = client.runner(NAME)
        assert state.capabilities["device"]["logical_cpus"] >= 1
        assert "its result is delivered" in told
        token = (tmp_path / "agents" / NAME / "agent.json").read_text().split('"token": "')[1].split('"')[0]
        assert all(secret not in told for secret in (token, line.split("#")[1]))


def test_a_hub_with_another_certificate_is_told_nothing(tmp_path: Path, empty_db: Path) -> None:
    mine, key = tmp_path / "mine.pem", tmp_path / "mine.key"
    ensure_certificate(mine, key, host="127.0.0.1")
    with served(tmp_path, empty_db, certificate=mine, key=key) as hub, client_of(hub) as client:
        line = line_of(client)
        wrong = f"{line.rpartition(':')[0]}:{'0' * 64}"
        with agent(tmp_path / "agents", line=wrong) as process:
            _, told = process.communicate(timeout=LIMIT_S)
        assert (process.returncode, "shows the certificate sha256:" in told) == (1, True)
        with agent(tmp_path / "agents", "--leases", "0", line=line) as process:  # the code was not used up
            _, told = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, told
        assert is_there(client)


def test_a_job_outlives_an_agent_that_is_killed(tmp_path: Path, empty_db: Path, work: MakeJob) -> None:
    folder = tmp_path / "agents"
    with served(tmp_path, empty_db, limits=TALKATIVE) as hub, client_of(hub) as client:
        with agent(folder, line=line_of(client)) as first:
            until(lambda: is_there(client))
            job_id = ship(pack(work(**LONG), runner=NAME), client, key="one")
            until(lambda: is_measuring(client, job_id))
            children = until(lambda: psutil.Process(first.pid).children(recursive=True))
            first.kill()
        until(lambda: all(map(has_ended, children)))
        with agent(folder, NAME, "--leases", "1") as second:
            _, told = second.communicate(timeout=LIMIT_S)
        assert second.returncode == 0, told
        assert client.job(job_id)["status"] == "done"
        assert attempts(client, job_id) == [("failed", "device_lost"), ("done", None)]


def test_a_lease_outlives_a_hub_that_is_started_again(tmp_path: Path, empty_db: Path, work: MakeJob) -> None:
    with ExitStack() as stack:
        with served(tmp_path, empty_db, limits=TALKATIVE) as hub, client_of(hub) as client:
            process = stack.enter_context(agent(tmp_path / "agents", "--leases", "1", line=line_of(client)))
            until(lambda: is_there(client))
            job_id = ship(pack(work(**LONG), runner=NAME), client, key="one")
            until(lambda: is_measuring(client, job_id))
            port = urlsplit(hub.url).port
        with served(tmp_path, empty_db, port=port) as hub, client_of(hub) as client:
            _, told = process.communicate(timeout=LIMIT_S)
            assert process.returncode == 0, told
            assert attempts(client, job_id) == [("done", None)]
            assert client.result(job_id)["measurements"][0]["label"] == "network"


def test_an_agent_that_was_removed_ends_at_once(tmp_path: Path, empty_db: Path) -> None:
    """It waits for work when that happens."""
    with served(tmp_path, empty_db) as hub, client_of(hub) as client:
        with agent(tmp_path / "agents", line=line_of(client)) as process:
            until(lambda: is_there(client))
            until(lambda: hub.server.app.state.hub.bells._hanging)
            client.set_runner(NAME, "remove", reason="sold")
            _, told = process.communicate(timeout=15)  # a poll lasts 25 s
        assert (process.returncode, "the hub does not know this agent any more" in told) == (3, True)
