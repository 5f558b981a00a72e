"""Measuring on a registered runner: as on this machine, however the hub and the runner come and go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.errors import FleetError, MeasureError
from bench.fleet.auth import hash_token, make_code, make_token
from bench.fleet.client import HubClient, UnreachableError
from bench.fleet.following import Ended, Sign, follow, persistently
from bench.fleet.measuring import find_runner, in_order, measure_remotely
from bench.fleet.shipping import pack, ship
from bench.measure import Measurement, summarise
from bench.store.fleet import open_fleet

from .devices import device
from .examples import CAPABILITIES, RUNNER, measured
from .hubs import Served, served, until
from .packages import packed


@pytest.fixture
def client(hub: Served) -> Iterator[HubClient]:
    with closing(client_of(hub)) as found:
        yield found


def client_of(hub: Served) -> HubClient:
    assert hub.admin.token is not None
    return HubClient(hub.server.address, hub.admin.token)


def test_measurements_are_judged_here_under_the_runners_name(hub: Served, client: HubClient, tmp_path: Path) -> None:
    job = packed(tmp_path, b"one", b"two", restarts=2, most_restarts=2)
    signs: list[Sign] = []
    with device(hub, RUNNER):
        found = measure_remotely(job, RUNNER, client, told=signs.append)
    assert [(each.label, each.runner, each.verdict) for each in found] == [
        ("network-0", RUNNER, "valid"), ("network-1", RUNNER, "valid"),
    ]  # fmt: skip
    assert summarise(found[0]).ratio_to_reference == pytest.approx(2.0, abs=0.01)
    assert {sign.phase for sign in signs} <= {"queued", "leased"}


def test_another_measurement_is_another_job(hub: Served, client: HubClient, tmp_path: Path) -> None:
    """The same files twice: whoever asks again wants a new figure."""
    job = packed(tmp_path, b"one")
    with device(hub, RUNNER) as runner:
        for _ in range(2):
            measure_remotely(job, RUNNER, client)
        assert len(runner.jobs) == 2


def test_a_failure_of_the_device_is_one_line(hub: Served, client: HubClient, tmp_path: Path) -> None:
    with (
        device(hub, RUNNER, lambda job: ("unsupported", "no such runtime here")),
        pytest.raises(MeasureError, match=r"could not measure \(unsupported: no such runtime here\).*runners show"),
    ):
        measure_remotely(packed(tmp_path, b"one"), RUNNER, client)


def test_a_runner_in_quarantine_is_only_tried(hub: Served, client: HubClient, tmp_path: Path) -> None:
    hub.enrol()
    client.set_runner(RUNNER, "quarantine", reason="it lies")
    job = packed(tmp_path, b"one")
    with pytest.raises(FleetError, match=r"'pixel8' is quarantined \(it lies\)"):
        measure_remotely(job, RUNNER, client)
    assert client.runner(RUNNER).queue == 0
    with device(hub, RUNNER) as runner:  # enrolled again it stays in quarantine
        (found,) = measure_remotely(job, RUNNER, client, is_test=True)
        assert found.verdict == "valid"
        assert len(runner.jobs) == 1


def test_a_file_of_unknown_origin_is_looked_into_before(hub: Served, client: HubClient, tmp_path: Path) -> None:
    hub.enrol()
    job = packed(tmp_path, b"no ONNX file")
    (artifact,) = job.artifacts
    unknown = replace(job, artifacts=(replace(artifact, is_checked=False),))
    with pytest.raises(MeasureError, match="'network-0' is not sent: checking failed: "):
        measure_remotely(unknown, RUNNER, client)
    assert client.runner(RUNNER).queue == 0
    assert not client.has_blob(artifact.sha256)


def test_broken_off_the_job_is_cancelled(hub: Served, client: HubClient, tmp_path: Path) -> None:
    hub.enrol()

    def tell(sign: Sign) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_remotely(packed(tmp_path, b"one"), RUNNER, client, told=tell)
    assert client.runner(RUNNER).queue == 0


def test_results_of_something_else_are_refused(tmp_path: Path) -> None:
    job = packed(tmp_path, b"one", b"two")
    found = [Measurement.from_dict(document) for document in measured(job)]
    assert [each.label for each in in_order(found[::-1], job)] == ["network-0", "network-1"]
    with pytest.raises(FleetError, match="a result of network-0 for a job of network-0, network-1"):
        in_order(found[:1], job)


def test_a_hub_that_is_away_is_waited_for_and_nothing_is_lost(tmp_path: Path, empty_db: Path) -> None:
    signs: list[Sign] = []
    ended: list[Ended | None] = []

    def wait(client: HubClient, job_id: str) -> None:
        with closing(client):
            ended.append(follow(client, job_id, RUNNER, told=signs.append, over=threading.Event()))

    with served(tmp_path, empty_db) as hub:
        port = int(hub.url.rpartition(":")[2])
        hub.enrol()
        with closing(client_of(hub)) as client:
            job_id = ship(pack(packed(tmp_path / "files", b"one"), runner=RUNNER), client, key="one")
        thread = threading.Thread(target=wait, args=(client, job_id))
        thread.start()
        until(lambda: signs)
    until(lambda: any(sign.trouble for sign in signs))
    with served(tmp_path, empty_db, port=port) as hub, device(hub, RUNNER):
        thread.join(timeout=60)
    assert ended
    assert ended[0] is not None
    assert ended[0].status == "done"
    assert len(ended[0].measurements) == 1


def test_waiting_ends_when_it_is_told_to(hub: Served, client: HubClient, tmp_path: Path) -> None:
    hub.enrol()
    over = threading.Event()
    job_id = ship(pack(packed(tmp_path, b"one"), runner=RUNNER), client, key="one")
    assert follow(client, job_id, RUNNER, told=lambda sign: over.set(), over=over) is None

    def away() -> None:
        raise UnreachableError("nobody answers; a hub is needed; start it")

    with pytest.raises(UnreachableError):
        persistently(away, told=lambda sign: None, over=over)


def test_a_job_that_the_hub_does_not_know_is_told(client: HubClient) -> None:
    ended = follow(client, "0" * 32, RUNNER, told=lambda sign: None, over=threading.Event())
    assert ended is not None
    assert ended.status == "unknown"


def test_one_that_was_not_seen_for_long_is_waited_for_in_words(tmp_path: Path, empty_db: Path) -> None:
    db = tmp_path / "bench.db"
    db.write_bytes(empty_db.read_bytes())
    code = make_code()
    long_ago = datetime.now(UTC) - timedelta(hours=5)
    with open_fleet(db, clock=lambda: long_ago) as fleet:
        fleet.add_enrolment(RUNNER, sha256=hash_token(code), expires_at=long_ago + timedelta(minutes=10))
        fleet.enrol(
            hash_token(code), capabilities=CAPABILITIES, agent_version="0.1.0", token_sha256=hash_token(make_token())
        )
    words: list[str] = []
    with served(tmp_path, empty_db) as hub:

        def tell(sign: Sign) -> None:
            words.append(sign.words(RUNNER))
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), closing(client_of(hub)) as client:
            measure_remotely(packed(tmp_path / "files", b"one"), RUNNER, client, told=tell)
    assert words == ["waiting for pixel8 (last seen 5 h ago)"]


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        (Sign(phase="queued"), "waiting for a turn on pi5"),
        (Sign(phase="leased", done=1, total=9), "pi5 measures"),
        (Sign(trouble="nobody answers"), "waiting for pi5 (nobody answers)"),
    ],
)
def test_how_a_job_stands_in_words(sign: Sign, words: str) -> None:
    assert sign.words("pi5") == words


def test_a_runner_is_found_with_what_can_be_used_on_it(hub: Served, client: HubClient) -> None:
    hub.enrol()
    found = find_runner(client, RUNNER)
    assert (found.name, found.kind, found.default_runtime, tuple(found.runtimes)) == (
        RUNNER, "cpu", "onnxruntime", ("onnxruntime",),
    )  # fmt: skip
    assert found.resolve(None) == found.resolve("onnxruntime") == "onnxruntime"
    with pytest.raises(MeasureError, match="runner 'pixel8' has no runtime 'litert'; it has onnxruntime; choose one"):
        found.resolve("litert")
    with pytest.raises(FleetError, match=r"unknown runner 'pixel9'; this machine's are cpu, .*did you mean 'pixel8'\?"):
        find_runner(client, "pixel9")
    client.set_runner(RUNNER, "quarantine", reason="it lies")
    with pytest.raises(FleetError, match="is quarantined"):
        find_runner(client, RUNNER)
    assert find_runner(client, RUNNER, is_test=True).name == RUNNER


@pytest.mark.parametrize(
    ("runtimes", "known"),
    [
        ({"litert": ["tflite"]}, "litert"),
        ({"tomorrow": ["onnx"], "onnxruntime": ["onnx"]}, "onnxruntime"),
        ({"executorch": ["pte"]}, None),  # such files do not travel
        ({"onnxruntime-cuda": ["onnx"]}, None),  # of another kind of device
        ({"onnxruntime": ["ort"]}, None),
        ({}, None),
    ],
)
def test_only_runtimes_that_files_can_be_made_for_count(
    hub: Served, client: HubClient, runtimes: dict[str, list[str]], known: str | None
) -> None:
    agent = hub.enrol()
    told = {name: {"versions": {}, "formats": formats, "precisions": ["fp32"]} for name, formats in runtimes.items()}
    assert agent.api.put(f"/v1/runners/{agent.id}/capabilities", {**CAPABILITIES, "runtimes": told}).status == 204
    if known is None:
        with pytest.raises(FleetError, match="has no runtime that this version knows"):
            find_runner(client, RUNNER)
    else:
        assert find_runner(client, RUNNER).default_runtime == known
