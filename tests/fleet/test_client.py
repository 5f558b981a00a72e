"""Calls of a hub that runs, and what becomes of them when it does not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.errors import FleetError
from bench.fleet.address import HubAddress
from bench.fleet.client import HubClient, RefusedError, UnreachableError
from bench.fleet.following import follow
from bench.fleet.server import HubServer
from bench.fleet.shipping import pack, ship

from .devices import device
from .examples import RUNNER, sha_of
from .hubs import Served
from .packages import packed


@pytest.fixture
def client(hub: Served) -> Iterator[HubClient]:
    with closing(client_of(hub)) as found:
        yield found


def client_of(hub: Served, revive: Callable[[], HubAddress] | None = None) -> HubClient:
    assert hub.admin.token is not None
    return HubClient(hub.server.address, hub.admin.token, revive=revive)


def test_runners_are_told_by_name_without_those_that_were_removed(hub: Served, client: HubClient) -> None:
    client.check()
    assert client.runners() == ()
    for name in ("pixel8", "pi5", "old"):
        hub.enrol(name)
    client.set_runner("old", "remove", reason="sold")
    client.set_runner("pi5", "drain", reason="new battery")
    assert [(state.name, state.status, state.reason) for state in client.runners()] == [
        ("pi5", "draining", "new battery"),
        ("pixel8", "ready", None),
    ]
    state = client.runner("pixel8")
    assert state.last_seen_s is not None
    assert state.last_seen_s < 30
    assert (state.queue, state.capabilities["kind"]) == (0, "cpu")
    with pytest.raises(RefusedError, match=r"'pixel9'.*did you mean 'pixel8'") as caught:
        client.runner("pixel9")
    assert caught.value.status == 404


def test_a_client_sees_what_a_runner_did_for_it_alone(hub: Served, client: HubClient) -> None:
    agent, mine = hub.enrol(), hub.client()
    assert mine.token is not None
    theirs, _ = hub.done(agent, hub.client("other"), key="theirs")
    own, _ = hub.done(agent, mine, key="own")
    with closing(HubClient(hub.server.address, mine.token)) as caller:
        assert [attempt.job_id for attempt in caller.attempts(RUNNER)] == [own]
    assert [attempt.job_id for attempt in client.attempts(RUNNER)] == [own, theirs]
    assert hub.admin.get(f"/v1/runners/{RUNNER}/attempts?most=1").json[0]["job_id"] == own
    assert hub.admin.get(f"/v1/runners/{RUNNER}/attempts?most=0").status == 422
    assert agent.api.get(f"/v1/runners/{RUNNER}/attempts").status == 403
    with pytest.raises(RefusedError, match=r"no runner 'pixel9'"):
        client.attempts("pixel9")


def test_tokens_are_shown_once_and_can_be_revoked(hub: Served, client: HubClient) -> None:
    number, text = client.add_token("client", "laptop")
    other = HubClient(hub.server.address, text)
    with closing(other):
        other.check()
    told = {found["id"]: found for found in client.tokens()}
    assert (told[number]["kind"], told[number]["name"], told[number]["revoked_at"]) == ("client", "laptop", None)
    assert text not in str(told)
    with pytest.raises(RefusedError) as caught, closing(other):
        other.add_enrolment("pi5")
    assert caught.value.status == 403
    client.revoke_token(number)
    with pytest.raises(RefusedError, match=r"set BENCH_HUB_TOKEN to one \(`bench hub token create NAME`\)"):
        other.check()
    other.close()


def test_a_job_goes_out_and_its_result_comes_back(hub: Served, client: HubClient, tmp_path: Path) -> None:
    with device(hub, RUNNER):
        package = pack(packed(tmp_path, b"network"), runner=RUNNER)
        job_id = ship(package, client, key="one")
        assert ship(package, client, key="one") == job_id
        ended = follow(client, job_id, RUNNER, told=lambda sign: None, over=threading.Event())
    assert ended is not None
    assert ended.status == "done"
    (found,) = ended.measurements
    assert (found.label, found.runner, found.verdict) == ("network-0", RUNNER, "valid")
    assert client.job(job_id)["status"] == "done"
    assert [event.kind for event in client.events(job_id, after=0, wait_s=0)] == ["queued", "leased", "done"]
    client.cancel(job_id)  # over already
    client.cancel("0" * 32)  # nobody knows it
    assert client.job(job_id)["status"] == "done"


def test_files_are_uploaded_once(client: HubClient, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert not client.has_blob(sha_of(b"content"))
    client.put_blob(sha_of(b"content"), path)
    assert client.has_blob(sha_of(b"content"))
    with pytest.raises(RefusedError) as caught:
        client.put_blob(sha_of(b"another"), path)
    assert caught.value.status == 409
    with pytest.raises(FleetError, match="cannot be used"):
        client.put_blob(sha_of(b"content"), tmp_path / "nowhere")


def test_a_hub_that_does_not_answer_is_told_apart_from_one_that_refuses(hub: Served, client: HubClient) -> None:
    hub.server.stop()
    with pytest.raises(UnreachableError, match="does not answer") as caught:
        client.check()
    assert "\n" not in str(caught.value)


def test_another_hub_takes_the_place_of_one_that_has_ended(hub: Served) -> None:
    servers: list[HubServer] = []

    def revive() -> HubAddress:
        servers.append(HubServer(hub.folder, hub.db, port=0))
        return servers[-1].start()

    hub.enrol("pi5")
    client = client_of(hub, revive)
    before = client.address
    hub.server.stop()
    try:
        assert [state.name for state in client.runners()] == ["pi5"]
        assert client.address == servers[0].address != before
        client.check()
        assert len(servers) == 1
    finally:
        client.close()
        for server in servers:
            server.stop()


def test_a_hub_that_cannot_be_replaced_now_may_be_there_later(hub: Served) -> None:
    def revive() -> HubAddress:
        raise FleetError("no address is free; another one is needed; give it")

    client = client_of(hub, revive)
    hub.server.stop()
    with pytest.raises(UnreachableError, match="no address is free"):
        client.check()


def test_plain_http_goes_to_this_machine_only() -> None:
    with pytest.raises(FleetError, match=r"(?i)http"):
        HubClient(HubAddress(url="http://192.0.2.7:8741"), "token-of-no-use-to-anybody")
