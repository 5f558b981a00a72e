"""Leases on a hub that runs: waited for, kept alive, ended, by agents that may vanish."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from .examples import CAPABILITIES, encode, make_job, measured
from .hubs import Answer, Served, plain_socket, served, until

BEAT = {"phase": "timing", "done": 1, "total": 2}


def in_thread(call: Any) -> tuple[threading.Thread, list[Answer]]:
    found: list[Answer] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    return thread, found


def test_a_lease_holds_all_that_a_device_needs(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    job_id = client.submit(max_s=120.0)
    lease = agent.lease().json
    assert set(lease) == {"fence", "attempt", "job_id", "ttl_s", "heartbeat_s", "max_s", "body"}
    assert (lease["job_id"], lease["attempt"], lease["max_s"], lease["ttl_s"]) == (job_id, 1, 120.0, 60.0)
    assert lease["body"]["files"]["network-0"][0]["name"] == "artifact"


def test_a_wait_for_a_lease_ends_as_soon_as_there_is_a_job(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    client.upload(b"reference", b"network")
    thread, found = in_thread(lambda: agent.lease(wait=20))
    begin = time.monotonic()
    job_id = client.submit()
    thread.join()
    assert time.monotonic() - begin < 10
    assert found[0].json["job_id"] == job_id


def test_a_wait_for_a_lease_ends_with_its_time(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"wait_s": 0.2}) as hub:
        agent = hub.enrol()
        begin = time.monotonic()
        answer = agent.lease(wait=3000)
        assert (answer.status, answer.body) == (204, b"")
        assert 0.2 <= time.monotonic() - begin < 10


def test_a_wait_for_a_lease_ends_with_the_hub(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db) as hub:
        agent = hub.enrol()
        thread, found = in_thread(lambda: agent.lease(wait=20))
        state = hub.server.app.state.hub
        until(lambda: state.bells._hanging)
        begin = time.monotonic()
    thread.join()
    assert time.monotonic() - begin < 10
    assert found[0].status == 204


def test_a_token_that_is_revoked_while_its_call_waits_gets_no_job(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    thread, found = in_thread(lambda: agent.lease(wait=20))
    state = hub.server.app.state.hub
    until(lambda: state.bells._hanging)
    token_id = next(token["id"] for token in hub.admin.get("/v1/tokens").json if token["kind"] == "agent")
    hub.admin.call("DELETE", f"/v1/tokens/{token_id}")
    job_id = client.submit()
    thread.join()
    assert found[0].status == 401
    assert client.get(f"/v1/jobs/{job_id}").json["status"] == "queued"


def test_an_agent_that_is_gone_gets_no_job(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    head = (
        f"POST /v1/runners/{agent.id}/lease?wait=20 HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {agent.api.token}\r\nContent-Length: 0\r\n\r\n"
    )
    state = hub.server.app.state.hub
    with plain_socket(hub.url) as connection:
        connection.sendall(head.encode())
        until(lambda: state.bells._hanging)
    until(lambda: not state.bells._hanging)
    job_id = client.submit()
    assert client.get(f"/v1/jobs/{job_id}").json["status"] == "queued"


def test_a_lease_whose_answer_was_lost_is_given_again(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    client.submit()
    first, again = agent.lease().json, agent.lease().json
    assert first == again
    agent.api.post(f"/v1/leases/{first['fence']}/heartbeat", BEAT)
    assert agent.lease().status == 204  # it has lost its work, which waits for its next attempt


def test_a_heartbeat_tells_what_to_do(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    client.submit()
    fence = agent.lease().json["fence"]
    path = f"/v1/leases/{fence}/heartbeat"
    assert agent.api.post(path, {**BEAT, "health": {"celsius": 41.5, "hostname": "eve"}}).json == {"action": "continue"}
    assert hub.admin.get("/v1/runners/pixel8").json["health"] == {"celsius": 41.5}
    hub.admin.post("/v1/runners/pixel8/drain")
    assert agent.api.post(path, BEAT).json == {"action": "drain"}


def test_looks_are_kept_and_answered_by_the_stopping_rule(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    job_id = client.submit()
    fence = agent.lease().json["fence"]
    path, job = f"/v1/leases/{fence}/look", make_job(b"network")
    shaky = measured(job, twin_ns=None)
    shaky[0]["samples"][0] = [[1_000_000, 1_000_000], [9_000_000, 9_000_000]]
    assert agent.api.post(path, {"measurements": shaky}).json == {"action": "continue"}
    assert agent.api.post(path, {"measurements": measured(job)}).json == {"action": "enough"}
    looks = [line for line in client.get(f"/v1/jobs/{job_id}/events").body.splitlines() if b'"look"' in line]
    assert len(looks) == 2
    assert b'"is_enough":false' in looks[0]
    assert b'"is_enough":true' in looks[1]
    assert len(looks[0]) < 1000  # samples are kept, and not told again and again
    store = hub.server.app.state.hub.store
    assert store.partial_result(fence) == {"measurements": measured(job)}


def test_a_result_ends_a_job_once(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    job_id, fence = hub.done(agent, client)
    documents = measured(make_job(b"network"))
    again = agent.result(fence, documents)
    assert (again.status, again.json) == (200, {"job_id": job_id, "status": "done"})
    assert agent.result(fence, measured(make_job(b"network"), ns=3_000_000)).status == 409
    assert client.get(f"/v1/jobs/{job_id}/result").json == {"measurements": documents}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"measurements": []},
        {"measurements": [{}]},
        {"measurements": [7]},
        {"measurements": {"label": "x"}},
        {"measurements": [{}], "verdict": "valid"},
        b'{"measurements": [{"samples": NaN}]}',
        b'{"measurements": [' + b"[" * 10_000 + b"]}",
    ],
)
def test_a_result_that_is_none_is_refused_and_the_lease_lives_on(hub: Served, body: Any) -> None:
    agent, client = hub.enrol(), hub.client()
    client.submit()
    fence = agent.lease().json["fence"]
    for path in ("look", "result"):
        method = "PUT" if path == "result" else "POST"
        assert agent.api.call(method, f"/v1/leases/{fence}/{path}", body).status == 422
    assert agent.api.post(f"/v1/leases/{fence}/heartbeat", BEAT).json == {"action": "continue"}


def test_a_result_without_bounds_is_refused(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"samples": 7, "result_bytes": 20_000}) as hub:
        agent, client = hub.enrol(), hub.client()
        client.submit()
        fence = agent.lease().json["fence"]
        answer = agent.result(fence, measured(make_job(b"network")))
        assert (answer.status, "8 samples" in answer.error) == (422, True)
        assert agent.result(fence, ["x" * 20_000]).status == 413


def test_bodies_beyond_what_fits_in_memory_are_put_off(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"buffered_bytes": 500}) as hub:
        agent, client = hub.enrol(), hub.client()
        state = hub.server.app.state.hub
        body = encode({"kind": "timeout", "reason": "x" * 600})
        answer = agent.api.post("/v1/leases/1/fail", body)
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        assert state.buffered == 0
        assert client.get("/v1/runners").status == 200


def test_a_failure_is_kept_with_its_kind_and_reason_in_one_line(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    job_id = client.submit()
    fence = agent.lease().json["fence"]
    path = f"/v1/leases/{fence}/fail"
    assert agent.api.post(path, {"kind": "bored", "reason": "x"}).status == 422
    assert agent.api.post(path, {"kind": "unsupported", "reason": ""}).status == 422
    assert agent.api.post(path, {"kind": "unsupported", "reason": "no\nsuch  operator"}).status == 200
    found = client.get(f"/v1/jobs/{job_id}").json
    assert (found["status"], found["reason"]) == ("failed", "no such operator")
    assert found["attempts"][0]["kind"] == "unsupported"
    assert agent.api.post(path, {"kind": "unsupported", "reason": "again"}).status == 409


def test_an_expired_lease_is_tried_again_and_its_late_result_refused(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"ttl_s": 0.3, "backoff_s": 0.1}) as hub:
        agent, client = hub.enrol(), hub.client()
        job_id = client.submit()
        fence = agent.lease().json["fence"]
        agent.api.post(f"/v1/leases/{fence}/heartbeat", BEAT)
        until(lambda: client.get(f"/v1/jobs/{job_id}").json["attempts"][0]["status"] == "expired")
        assert agent.result(fence, measured(make_job(b"network"))).status == 409
        again = agent.lease(wait=20).json
        assert (again["job_id"], again["attempt"]) == (job_id, 2)
        assert again["fence"] > fence


def test_a_failed_a_a_quarantines_the_runner(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    client.submit()
    documents = measured(make_job(b"network"), twin_ns=(1_300_000, 1_300_000))
    assert agent.result(agent.lease().json["fence"], documents).status == 200
    found = hub.admin.get("/v1/runners/pixel8").json
    assert (found["status"], found["noise"]["floor"]) == ("quarantined", pytest.approx(0.3))
    client.submit(key="second")
    assert agent.lease().status == 204
    test = client.submit(b"test", key="test", is_test=True, priority=10)
    lease = agent.lease().json
    assert lease["job_id"] == test
    agent.result(lease["fence"], measured(make_job(b"test")))
    assert hub.admin.post("/v1/runners/pixel8/resume").json["status"] == "ready"
    assert agent.lease().status == 200


def test_an_agent_tells_what_its_device_can_do(hub: Served) -> None:
    agent = hub.enrol()
    path = f"/v1/runners/{agent.id}/capabilities"
    newer = {**CAPABILITIES, "agent": "0.2.0", "device": {"cpu": "x", "hostname": "eve"}, "checks": ["onnx"]}
    assert agent.api.put(path, newer).status == 204
    found = hub.admin.get("/v1/runners/pixel8").json["capabilities"]
    assert (found["agent"], found["device"], found["checks"]) == ("0.2.0", {"cpu": "x"}, ["onnx"])
    for wrong in ({}, {**CAPABILITIES, "kind": "toaster"}, {**CAPABILITIES, "runtimes": []}):
        assert agent.api.put(path, wrong).status == 422
    assert agent.api.put(path, {**CAPABILITIES, "device": {"x": "y" * (64 << 10)}}).status == 413


def test_a_runner_tells_when_it_was_heard_and_what_waits_for_it(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    client.submit()
    found = client.get("/v1/runners").json
    assert [(runner["name"], runner["status"], runner["queue"]) for runner in found] == [("pixel8", "ready", 1)]
    assert 0 <= found[0]["last_seen_s"] < 20
    assert client.get(f"/v1/runners/{agent.id}").json["name"] == "pixel8"
    assert client.get("/v1/runners/pixel9").status == 404


@pytest.mark.parametrize("fence", ["0", "-1", "x", "1e3", "99999999999999999999", "2147483648"])
def test_a_fence_that_is_none_is_refused(shared_hub: Served, fence: str) -> None:
    agent = shared_hub.enrol("fences")
    assert agent.api.post(f"/v1/leases/{fence}/heartbeat", BEAT).status in (404, 422)


def test_a_fence_that_was_never_given_is_stale(shared_hub: Served) -> None:
    agent = shared_hub.enrol("fences")
    job = make_job(b"network")
    assert agent.api.post("/v1/leases/2147483647/heartbeat", BEAT).status == 409
    assert agent.api.post("/v1/leases/2147483647/look", {"measurements": measured(job)}).status == 409
    assert agent.result(2147483647, measured(job)).status == 409
    assert agent.api.post("/v1/leases/2147483647/fail", {"kind": "timeout", "reason": "x"}).status == 409
