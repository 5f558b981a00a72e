"""Who may call what: tokens, codes and scopes on a hub that runs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from bench.fleet.auth import hash_token, make_token

from .examples import CAPABILITIES, body_of, make_job, measured, sha_of
from .hubs import Api, Served, enrolment, served, until

PUBLIC = {"/v1/health", "/v1/enroll"}
ID, SHA = "0" * 32, "0" * 64


PARTS = {"runner_id": ID, "job_id": ID, "name": "pixel8", "token_id": "1", "fence": "1", "sha256": SHA}


def filled(path: str) -> str:
    for name, value in PARTS.items():
        path = path.replace("{" + name + "}", value)
    return path


def calls(hub: Served) -> list[tuple[str, str]]:
    """Every call of the API, with its path filled in."""
    paths = hub.server.app.openapi()["paths"]
    return [(method.upper(), filled(path)) for path, found in paths.items() for method in found]


def test_health_needs_no_token(shared_hub: Served) -> None:
    found = shared_hub.nobody.get("/v1/health")
    assert (found.status, found.json) == (200, {"status": "ok", "protocol": 1})


@pytest.mark.parametrize("token", [None, "t" * 43, make_token(), ""], ids=["none", "repeated", "unknown", "empty"])
def test_every_other_call_needs_a_token_that_is_known(shared_hub: Served, token: str | None) -> None:
    found = calls(shared_hub)
    assert len(found) >= 20
    for method, path in found:
        if path not in PUBLIC:
            answer = Api(url=shared_hub.url, token=token).call(method, path, {} if method in ("POST", "PUT") else None)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer"), (method, path)


@pytest.mark.parametrize(
    "shown", ["Basic {0}", "{0}", "Bearer {0}x", "Bearer {0}, Bearer {0}", "Bearer", "Bearer {0}\u00e4"]
)
def test_a_token_in_another_form_opens_nothing(shared_hub: Served, shown: str) -> None:
    header = shown.format(shared_hub.admin.token)
    assert shared_hub.nobody.get("/v1/tokens", headers={"Authorization": header}).status == 401


def test_a_token_in_the_url_opens_nothing(shared_hub: Served) -> None:
    token = shared_hub.admin.token
    assert shared_hub.nobody.get(f"/v1/tokens?token={token}&access_token={token}").status == 401


ADMIN_ONLY = (
    ("POST", "/v1/tokens", {"kind": "client", "name": "x"}),
    ("GET", "/v1/tokens", None),
    ("DELETE", "/v1/tokens/1", None),
    ("POST", "/v1/enrolments", {"name": "x"}),
    *(("POST", f"/v1/runners/pixel8/{action}", {}) for action in ("drain", "resume", "quarantine", "remove")),
)
CLIENT_ONLY = (
    ("GET", "/v1/runners", None),
    ("GET", "/v1/runners/pixel8", None),
    ("PUT", f"/v1/blobs/sha256/{SHA}", b"x"),
    ("POST", "/v1/jobs", {}),
    ("GET", f"/v1/jobs/{ID}", None),
    ("GET", f"/v1/jobs/{ID}/result", None),
    ("GET", f"/v1/jobs/{ID}/events", None),
    ("DELETE", f"/v1/jobs/{ID}", None),
)
AGENT_ONLY = (
    ("PUT", f"/v1/runners/{ID}/capabilities", dict(CAPABILITIES)),
    ("POST", f"/v1/runners/{ID}/lease", None),
    ("POST", "/v1/leases/1/heartbeat", {"phase": "x", "done": 0, "total": 0}),
    ("POST", "/v1/leases/1/look", {"measurements": [{}]}),
    ("PUT", "/v1/leases/1/result", {"measurements": [{}]}),
    ("POST", "/v1/leases/1/fail", {"kind": "timeout", "reason": "x"}),
)


def test_a_token_opens_what_its_kind_is_for_and_nothing_else(hub: Served) -> None:
    agent, client = hub.enrol().api, hub.client()
    for caller, refused in (
        (client, (*ADMIN_ONLY, *AGENT_ONLY)),
        (agent, (*ADMIN_ONLY, *CLIENT_ONLY)),
        (hub.admin, AGENT_ONLY),
    ):
        for method, path, body in refused:
            answer = caller.call(method, path, body, headers={"Idempotency-Key": "k"})
            assert answer.status == 403, (method, path, answer)
            assert "a token of kind" in answer.error


def test_an_agent_speaks_for_its_own_runner(hub: Served) -> None:
    mine, other = hub.enrol("mine"), hub.enrol("other")
    client = hub.client()
    client.submit(runner="other")
    fence = other.lease().json["fence"]
    job = make_job(b"network")
    for answer in (
        mine.api.post(f"/v1/runners/{other.id}/lease"),
        mine.api.put(f"/v1/runners/{other.id}/capabilities", dict(CAPABILITIES)),
        mine.api.post(f"/v1/leases/{fence}/heartbeat", {"phase": "x", "done": 0, "total": 0}),
        mine.api.post(f"/v1/leases/{fence}/look", {"measurements": measured(job)}),
        mine.result(fence, measured(job)),
        mine.api.post(f"/v1/leases/{fence}/fail", {"kind": "timeout", "reason": "x"}),
        mine.api.get(f"/v1/blobs/sha256/{sha_of(b'network')}"),
    ):
        assert answer.status == 403, answer
    assert other.result(fence, measured(job)).status == 200


def test_a_client_sees_its_own_jobs_alone(hub: Served) -> None:
    hub.enrol()
    mine, other = hub.client("mine"), hub.client("other")
    job_id = mine.submit()
    unknown = other.get(f"/v1/jobs/{ID}").error
    for method, path in (("GET", ""), ("GET", "/result"), ("GET", "/events"), ("DELETE", "")):
        answer = other.call(method, f"/v1/jobs/{job_id}{path}")
        assert (answer.status, answer.error) == (404, unknown)
    assert mine.get(f"/v1/jobs/{job_id}").json["status"] == "queued"
    assert hub.admin.get(f"/v1/jobs/{job_id}").json["status"] == "queued"


def test_a_revoked_token_is_dead_at_once(hub: Served) -> None:
    made = hub.admin.post("/v1/tokens", {"kind": "client", "name": "laptop"}).json
    client = Api(url=hub.url, token=made["token"])
    assert client.get("/v1/runners").status == 200
    assert hub.admin.call("DELETE", f"/v1/tokens/{made['id']}").status == 204
    assert client.get("/v1/runners").status == 401
    assert hub.admin.call("DELETE", "/v1/tokens/999999").status == 404


@pytest.mark.parametrize("kind", ["client", "admin"])
def test_nobody_else_is_given_a_token_of_the_name_of_the_hub_s_own(shared_hub: Served, kind: str) -> None:
    answer = shared_hub.admin.post("/v1/tokens", {"kind": kind, "name": "local"})
    assert (answer.status, answer.error) == (
        422,
        "token name 'local' is that of the hub's own machine; any other is allowed; choose one",
    )


def test_a_rotated_token_takes_the_place_of_the_old_one_and_keeps_its_jobs(hub: Served) -> None:
    hub.enrol()
    client = hub.client()
    job_id = client.submit()
    token = client.post("/v1/tokens/rotate").json["token"]
    assert client.get("/v1/runners").status == 401
    assert Api(url=hub.url, token=token).get(f"/v1/jobs/{job_id}").status == 200


def test_an_agent_may_rotate_its_token(hub: Served) -> None:
    agent = hub.enrol()
    token = agent.api.post("/v1/tokens/rotate").json["token"]
    assert agent.lease().status == 401
    assert Api(url=hub.url, token=token).post(f"/v1/runners/{agent.id}/lease").status == 204


def test_a_removed_runner_is_refused_and_may_be_enrolled_again(hub: Served) -> None:
    agent = hub.enrol()
    assert hub.admin.post("/v1/runners/pixel8/remove", {"reason": "sold"}).json["status"] == "removed"
    assert agent.lease().status == 401
    assert hub.admin.get("/v1/runners").json == []
    assert hub.admin.post("/v1/runners/pixel8/resume").status == 409
    again = hub.enrol()
    assert again.id == agent.id
    assert again.lease().status == 204
    assert agent.lease().status == 401


def test_enrolling_a_name_again_ends_its_earlier_token(hub: Served) -> None:
    first = hub.enrol()
    second = hub.enrol()
    assert second.id == first.id
    assert first.lease().status == 401
    assert second.lease().status == 204


def test_a_code_works_once(hub: Served) -> None:
    code = hub.code()
    assert hub.nobody.post("/v1/enroll", enrolment(code)).status == 200
    again = hub.nobody.post("/v1/enroll", enrolment(code))
    assert again.status == 401
    assert code not in again.error


def test_an_expired_code_does_not_work(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"enrolment_s": 0.0}) as hub:
        answer = hub.nobody.post("/v1/enroll", enrolment(hub.code()))
        assert answer.status == 401
        assert "expired" in answer.error


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"code": "A" * 22}, 401),
        ({"code": "x"}, 422),
        ({"code": "../../../../../../etc/passwd"}, 422),
        ({"protocol": 2}, 422),
        ({"name": "mine"}, 422),
        ({"capabilities": {}}, 422),
        ({"agent_version": "x" * 41}, 422),
    ],
)
def test_an_enrolment_that_is_none_uses_no_code_up(shared_hub: Served, change: dict[str, Any], status: int) -> None:
    code = shared_hub.code("another")
    assert shared_hub.nobody.post("/v1/enroll", {**enrolment(code), **change}).status == status
    assert shared_hub.nobody.post("/v1/enroll", enrolment(code)).status == 200


def test_secrets_are_neither_stored_nor_logged_nor_told_again(hub: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        code = hub.code()
        agent = hub.nobody.post("/v1/enroll", enrolment(code)).json
        client = hub.client()
        told = hub.admin.get("/v1/tokens").body + hub.admin.get("/v1/runners").body
        hub.nobody.get("/v1/runners", headers={"Authorization": f"Bearer {client.token}x"})
    secrets = [code, agent["token"], client.token, hub.admin.token]
    stored = b"".join(path.read_bytes() for path in hub.db.parent.glob("bench.db*"))
    for secret in secrets:
        assert secret is not None
        assert secret.encode() not in stored
        assert secret not in caplog.text
        assert secret.encode() not in told
        assert hash_token(secret).encode() not in told
    assert hash_token(agent["token"]).encode() in stored


def test_a_line_of_the_log_is_one_line_without_query(shared_hub: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="bench.fleet"):
        shared_hub.nobody.get("/v1/x%0a%1b[31mforged?token=hunter2")
        lines = until(lambda: [found.getMessage() for found in caplog.records if "forged" in found.getMessage()])
    assert len(lines) == 1
    assert lines[0].isprintable()
    assert lines[0].startswith("GET '/v1/x\\n\\x1b[31mforged' 404")
    assert "hunter2" not in caplog.text


def test_tokens_have_kinds_and_names_that_are_allowed(shared_hub: Served) -> None:
    for body in (
        {"kind": "agent", "name": "x"},
        {"kind": "root", "name": "x"},
        {"kind": "client", "name": ""},
        {"kind": "client", "name": "x\ny"},
        {"kind": "client", "name": "x", "runner_id": ID},
    ):
        assert shared_hub.admin.post("/v1/tokens", body).status == 422


def test_runners_have_names_that_are_allowed(shared_hub: Served) -> None:
    for name in ("", "Pixel", "../x", "a/b", "x" * 41, "-x", "x\n"):
        assert shared_hub.admin.post("/v1/enrolments", {"name": name}).status == 422


def test_a_name_that_looks_like_an_id_is_refused(shared_hub: Served) -> None:
    assert shared_hub.admin.post("/v1/enrolments", {"name": "a" * 32}).status == 409


def test_a_job_needs_no_other_kind_than_its_client(hub: Served) -> None:
    hub.enrol()
    admin = hub.admin
    admin.upload(b"reference", b"network")
    found = admin.post("/v1/jobs", body_of(make_job(b"network")), headers={"Idempotency-Key": "k"})
    assert found.status == 202
