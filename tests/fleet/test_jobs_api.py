"""Jobs on a hub that runs: submitted once, followed without asking again, cancelled, read."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from .examples import body_of, make_job, measured, sha_of
from .hubs import Agent, Answer, Api, Served, served

KEY = {"Idempotency-Key": "key"}


def events(answer: Answer) -> list[dict[str, Any]]:
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.body.splitlines()]


def test_a_job_that_is_sent_twice_is_one_job(hub: Served) -> None:
    hub.enrol()
    client = hub.client()
    client.upload(b"reference", b"network")
    first, again = (client.post("/v1/jobs", body_of(make_job(b"network")), headers=KEY) for _ in range(2))
    assert (first.status, again.status) == (202, 200)
    assert first.json == again.json
    other = client.post("/v1/jobs", body_of(make_job(b"network"), priority=1), headers=KEY)
    assert other.status == 422
    assert hub.admin.get("/v1/runners/pixel8").json["queue"] == 1


def test_a_job_that_is_sent_again_is_known_without_its_files_and_its_runner(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"blobs_bytes": 100}) as hub:
        agent, client = hub.enrol(), hub.client()
        job_id, _ = hub.done(agent, client)
        client.upload(bytes(100))
        assert [path.name for path in (hub.folder / "blobs").iterdir()] == [sha_of(bytes(100))]
        body, again = body_of(make_job(b"network")), {"Idempotency-Key": "done"}
        found = client.post("/v1/jobs", body, headers=again)
        assert (found.status, found.json) == (200, {"job_id": job_id})
        assert client.post("/v1/jobs", body, headers=KEY).status == 409  # another key is another job
        hub.admin.post("/v1/runners/pixel8/remove")
        assert client.post("/v1/jobs", body, headers=again).json == {"job_id": job_id}
        assert client.post("/v1/jobs", {**body, "max_s": 7.0}, headers=again).status == 422
        assert hub.client("other").post("/v1/jobs", body, headers=again).status == 404


@pytest.mark.parametrize("key", [None, "", "a b", "x" * 201, "\u00e4"])
def test_a_job_has_a_key_that_is_allowed(shared_hub: Served, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    assert shared_hub.admin.post("/v1/jobs", body_of(make_job()), headers=headers).status == 422


def test_a_job_for_an_unknown_runner_is_not_found(hub: Served) -> None:
    hub.enrol()
    answer = hub.client().post("/v1/jobs", body_of(make_job(), runner="pixel9"), headers=KEY)
    assert answer.status == 404
    assert "did you mean 'pixel8'" in answer.error


def test_files_that_are_not_there_are_named(hub: Served) -> None:
    hub.enrol()
    client = hub.client()
    client.upload(b"reference")
    answer = client.post("/v1/jobs", body_of(make_job(b"one", b"two")), headers=KEY)
    assert answer.status == 409
    assert answer.json["missing"] == sorted(sha_of(content) for content in (b"one", b"two"))
    client.upload(b"one", b"two")
    assert client.post("/v1/jobs", body_of(make_job(b"one", b"two")), headers=KEY).status == 202


@pytest.mark.parametrize(
    "change",
    [
        {"priority": 11},
        {"priority": 1.5},
        {"max_s": 0},
        {"max_s": -1},
        {"max_s": 1e9},
        {"runner": "../x"},
        {"runner": 7},
        {"job": {}},
        {"job": []},
        {"files": {}},
        {"files": {"reference": []}},
        {"command": "sh"},
        {"is_test": "yes"},
    ],
)
def test_a_job_that_is_none_is_refused(shared_hub: Served, change: dict[str, Any]) -> None:
    answer = shared_hub.admin.post("/v1/jobs", {**body_of(make_job()), **change}, headers=KEY)
    assert answer.status == 422, answer


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"a": NaN}', b"[" * 50_000, b"\xff", b'{"a":1,"a":1}'])
def test_a_body_that_is_no_document_is_refused(shared_hub: Served, body: bytes) -> None:
    assert shared_hub.admin.post("/v1/jobs", body, headers=KEY).status == 422


def test_a_job_that_is_too_long_is_refused(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"job_bytes": 1000}) as hub:
        assert hub.admin.post("/v1/jobs", b" " * 1001, headers=KEY).status == 413


def test_a_job_is_as_long_as_it_is_sent_to_a_device(tmp_path: Path, empty_db: Path) -> None:
    body = body_of(make_job(b"network"))
    body["job"]["reference"]["logits"] = [1e15] * 40
    short = json.dumps(body, separators=(",", ":")).replace("1000000000000000.0", "1e15").encode()
    with served(tmp_path, empty_db, limits={"job_bytes": len(short) + 10}) as hub:
        answer = hub.admin.post("/v1/jobs", short, headers=KEY)
    assert answer.status == 413
    assert "written as a device gets it" in answer.error


def test_a_client_with_too_many_unfinished_jobs_has_to_wait(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"unfinished_jobs": 1}) as hub:
        hub.enrol()
        client = hub.client()
        job_id = client.submit(key="first")
        answer = client.post("/v1/jobs", body_of(make_job(b"network")), headers={"Idempotency-Key": "second"})
        assert (answer.status, answer.headers["retry-after"]) == (429, "10")
        assert client.submit(key="first") == job_id


def test_a_job_tells_how_it_stands(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    job_id = client.submit(priority=2)
    found = client.get(f"/v1/jobs/{job_id}").json
    assert (found["status"], found["priority"], found["attempts"], found["progress"]) == ("queued", 2, [], None)
    fence = agent.lease().json["fence"]
    agent.api.post(f"/v1/leases/{fence}/heartbeat", {"phase": "timing", "done": 3, "total": 9})
    found = client.get(f"/v1/jobs/{job_id}").json
    assert (found["status"], found["progress"]) == ("leased", {"phase": "timing", "done": 3, "total": 9})
    assert [(attempt["fence"], attempt["status"]) for attempt in found["attempts"]] == [(fence, "leased")]
    agent.result(fence, measured(make_job(b"network")))
    found = client.get(f"/v1/jobs/{job_id}").json
    assert (found["status"], found["num_attempts"], found["progress"]) == ("done", 1, None)
    assert found["finished_at"] is not None


def test_a_result_is_read_when_there_is_one(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    job_id = client.submit()
    early = client.get(f"/v1/jobs/{job_id}/result")
    assert early.status == 409
    assert "is queued and has no result" in early.error
    documents = measured(make_job(b"network"))
    agent.result(agent.lease().json["fence"], documents)
    assert client.get(f"/v1/jobs/{job_id}/result").json == {"measurements": documents}


def test_events_come_in_order_and_after_the_last_one_known(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    job_id, fence = hub.done(agent, client)
    every = events(client.get(f"/v1/jobs/{job_id}/events"))
    assert [event["kind"] for event in every] == ["queued", "leased", "done"]
    assert [event["fence"] for event in every] == [None, fence, fence]
    rest = events(client.get(f"/v1/jobs/{job_id}/events?after={every[1]['sequence']}"))
    assert rest == every[2:]


def test_events_of_a_job_that_has_ended_are_not_waited_for(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    job_id, _ = hub.done(agent, client)
    begin = time.monotonic()
    assert events(client.get(f"/v1/jobs/{job_id}/events?after=99999&wait=20")) == []
    assert time.monotonic() - begin < 10


def test_a_wait_for_events_ends_as_soon_as_there_is_one(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    job_id = client.submit()
    last = events(client.get(f"/v1/jobs/{job_id}/events"))[-1]["sequence"]
    found: list[list[dict[str, Any]]] = []
    follower = threading.Thread(
        target=lambda: found.append(events(client.get(f"/v1/jobs/{job_id}/events?after={last}&wait=20")))
    )
    begin = time.monotonic()
    follower.start()
    agent.lease()
    follower.join()
    assert time.monotonic() - begin < 10
    assert [event["kind"] for event in found[0]] == ["leased"]


def test_a_wait_without_events_ends_with_its_time(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"wait_s": 0.2}) as hub:
        hub.enrol()
        client = hub.client()
        job_id = client.submit()
        begin = time.monotonic()
        assert events(client.get(f"/v1/jobs/{job_id}/events?after=99999&wait=1000")) == []
        assert 0.2 <= time.monotonic() - begin < 10


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=1e3", "wait=-1", "wait=nan", "wait=inf", "wait=1e9"])
def test_a_query_that_makes_no_sense_is_refused(shared_hub: Served, query: str) -> None:
    assert shared_hub.admin.get(f"/v1/jobs/{'0' * 32}/events?{query}").status == 422


def test_a_cancelled_job_is_cancelled_at_once_and_its_late_result_refused(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    job_id = client.submit()
    fence = agent.lease().json["fence"]
    assert client.call("DELETE", f"/v1/jobs/{job_id}").json["status"] == "cancelled"
    beat = agent.api.post(f"/v1/leases/{fence}/heartbeat", {"phase": "timing", "done": 1, "total": 2})
    assert beat.json == {"action": "cancel"}
    look = agent.api.post(f"/v1/leases/{fence}/look", {"measurements": measured(make_job(b"network"))})
    assert look.json == {"action": "cancel"}
    assert agent.result(fence, measured(make_job(b"network"))).status == 409
    assert client.call("DELETE", f"/v1/jobs/{job_id}").json["status"] == "cancelled"
    assert client.get(f"/v1/jobs/{job_id}").json["attempts"][0]["status"] == "cancelled"


@pytest.mark.parametrize("job_id", ["0" * 32, "x", "0" * 31, "%00", "..%2f..%2f", "0" * 31 + "G"])
def test_a_job_that_is_unknown_is_not_found(shared_hub: Served, job_id: str) -> None:
    for method, path in (("GET", ""), ("GET", "/result"), ("GET", "/events"), ("DELETE", "")):
        assert shared_hub.admin.call(method, f"/v1/jobs/{job_id}{path}").status in (404, 422)


def test_jobs_outlive_the_hub(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db) as hub:
        agent, client = hub.enrol(), hub.client()
        leased = client.submit(b"network", key="one")
        waiting = client.submit(b"second", key="two")
        fence = agent.lease().json["fence"]
    with served(tmp_path, empty_db) as hub:
        agent = Agent(id=agent.id, api=Api(url=hub.url, token=agent.api.token))
        client = Api(url=hub.url, token=client.token)
        assert agent.result(fence, measured(make_job(b"network"))).status == 200
        assert client.get(f"/v1/jobs/{leased}").json["status"] == "done"
        assert agent.lease().json["job_id"] == waiting
