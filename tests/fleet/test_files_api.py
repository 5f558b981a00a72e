"""Files on a hub that runs: sent, asked for, fetched, in bounds."""

from __future__ import annotations

import http.client
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bench.fleet.blobs import BlobStore, Upload

from .examples import sha_of
from .hubs import Served, plain_socket, served, talk, until

CONTENT = bytes(range(256)) * 1024
SIZE = len(CONTENT)
PATH = f"/v1/blobs/sha256/{sha_of(CONTENT)}"


def names(hub: Served) -> set[str]:
    return {path.name for path in (hub.folder / "blobs").iterdir()}


def test_a_file_is_new_once(hub: Served) -> None:
    client = hub.client()
    assert client.call("HEAD", PATH).status == 404
    assert client.put(PATH, CONTENT).status == 201
    assert client.put(PATH, CONTENT).status == 200
    found = client.call("HEAD", PATH)
    assert (found.status, found.headers["content-length"], found.body) == (200, str(len(CONTENT)), b"")
    assert client.get(PATH).body == CONTENT
    assert (hub.folder / "blobs" / sha_of(CONTENT)).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=100-", 100, SIZE),
        ("bytes=-10", SIZE - 10, SIZE),
        ("bytes=262143-99999999", 262143, SIZE),
    ],
)
def test_one_range_of_a_file_is_given(shared_hub: Served, asked: str, begin: int, end: int) -> None:
    shared_hub.admin.upload(CONTENT)
    found = shared_hub.admin.get(PATH, headers={"Range": asked})
    assert (found.status, found.body) == (206, CONTENT[begin:end])
    assert found.headers["content-range"] == f"bytes {begin}-{end - 1}/{SIZE}"


@pytest.mark.parametrize(
    "asked", ["bytes=-99999999", "bytes=0-1,5-6", "bytes=9-0", "bytes=-", "lines=1-2", "bytes=a-b", "bytes=" + "9" * 40]
)
def test_a_range_of_another_form_gives_the_whole_file(shared_hub: Served, asked: str) -> None:
    shared_hub.admin.upload(CONTENT)
    found = shared_hub.admin.get(PATH, headers={"Range": asked})
    assert (found.status, found.body) == (200, CONTENT)


@pytest.mark.parametrize("asked", ["bytes=262144-", "bytes=999999999-", "bytes=-0"])
def test_a_range_beyond_the_file_is_refused(shared_hub: Served, asked: str) -> None:
    shared_hub.admin.upload(CONTENT)
    assert shared_hub.admin.get(PATH, headers={"Range": asked}).status == 416


def test_another_content_than_its_name_is_refused_and_leaves_nothing(hub: Served) -> None:
    client = hub.client()
    found = client.put(PATH, CONTENT[:-1] + b"x")
    assert found.status == 409
    assert sha_of(CONTENT[:-1] + b"x") in found.error
    assert names(hub) == set()
    assert client.put(PATH, CONTENT[:-1]).status == 409
    assert names(hub) == set()


def test_another_content_under_the_name_of_a_file_that_is_there_changes_nothing(hub: Served) -> None:
    client = hub.client()
    client.upload(CONTENT)
    assert client.put(PATH, b"else").status == 409
    assert client.get(PATH).body == CONTENT


def test_files_that_come_slowly_fill_no_memory(tmp_path: Path, empty_db: Path) -> None:
    content = bytes(300_000)
    with served(tmp_path, empty_db, limits={"buffered_bytes": 500_000, "stall_s": 600.0}) as hub, ExitStack() as stack:
        state = hub.server.app.state.hub
        head = f"PUT {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {hub.admin.token}\r\n"
        for _ in range(2):  # 200,000 bytes each: less than is worth writing
            connection = stack.enter_context(plain_socket(hub.url))
            connection.sendall(f"{head}Content-Length: 300000\r\n\r\n".encode() + content[:200_000])
        # Before that, what is sent next might be let in and one of the two turned down for it.
        until(lambda: state.buffered == 400_000)
        assert hub.admin.put(f"/v1/blobs/sha256/{sha_of(content)}", content).status == 503
        stack.close()
        until(lambda: state.buffered == 0)
        assert hub.admin.put(f"/v1/blobs/sha256/{sha_of(content)}", content).status == 201


def test_a_client_that_leaves_while_the_disk_is_slow_holds_up_nobody(
    hub: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Upload] = []
    upload = BlobStore.upload

    def noted(store: BlobStore, sha256: str, num_bytes: int) -> Upload:
        begun.append(upload(store, sha256, num_bytes))
        begun[-1]._lock.acquire()  # as a write does that takes its time
        return begun[-1]

    monkeypatch.setattr(BlobStore, "upload", noted)
    content = bytes(3 << 20)
    head = f"PUT /v1/blobs/sha256/{sha_of(content)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {hub.admin.token}\r\n"
    with plain_socket(hub.url) as connection:
        connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content[: 2 << 20])
        until(lambda: bool(begun))
    try:
        for _ in range(5):
            assert hub.nobody.get("/v1/health").status == 200
            time.sleep(0.05)
    finally:
        begun[0]._lock.release()
    until(lambda: names(hub) == set())


@pytest.mark.parametrize(
    "name",
    [
        "../hub.json",
        "..%2fhub.json",
        "%2e%2e%2fhub.json",
        "%252e%252e%252fhub.json",
        "..%5chub.json",
        sha_of(b"x").upper(),
        sha_of(b"x")[:-1],
        sha_of(b"x") + "0",
        sha_of(b"x") + "%0a",
        sha_of(b"x") + "%00",
        sha_of(b"x")[:-1] + "%c3%a9",
        "%ff%fe",
        sha_of(b"x") + "/../../hub.json",
    ],
)
def test_a_name_is_64_hex_digits_and_nothing_else(shared_hub: Served, name: str) -> None:
    before = names(shared_hub)
    for method, body in (("PUT", b"x"), ("GET", None), ("HEAD", None)):
        answer = shared_hub.admin.call(method, f"/v1/blobs/sha256/{name}", body)
        assert answer.status in (404, 422), (method, answer)
    assert names(shared_hub) == before
    assert (shared_hub.folder / "hub.json").exists()


def test_a_body_without_its_length_is_refused(shared_hub: Served) -> None:
    token = shared_hub.admin.token
    head = f"PUT {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    # In one piece: the hub answers to the headers, and what came after that would reset the connection.
    answer = talk(shared_hub.url, f"{head}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 411 ")
    assert b"\r\nconnection: close\r\n" in answer
    assert talk(shared_hub.url, f"{head}Connection: close\r\n\r\n".encode()).startswith(b"HTTP/1.1 411 ")


def test_a_file_that_is_too_large_is_refused_by_its_length(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"blob_bytes": 1000}) as hub:
        client = hub.client()
        assert client.put(f"/v1/blobs/sha256/{sha_of(b'x' * 1000)}", b"x" * 1000).status == 201
        assert client.put(f"/v1/blobs/sha256/{sha_of(b'x' * 1001)}", b"x" * 1001).status == 413
        assert names(hub) == {sha_of(b"x" * 1000)}


def test_a_file_without_room_is_refused(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"blobs_bytes": 1000}) as hub:
        client = hub.client()
        client.upload(b"x" * 1000)
        assert client.put(f"/v1/blobs/sha256/{sha_of(b'y' * 1001)}", b"y" * 1001).status == 507
        client.upload(b"z" * 500)
        assert names(hub) == {sha_of(b"z" * 500)}


def test_what_a_queued_job_names_is_not_thrown_out(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"blobs_bytes": 100}) as hub:
        hub.enrol()
        client = hub.client()
        job_id = client.submit(b"network")
        assert client.put(f"/v1/blobs/sha256/{sha_of(b'y' * 90)}", b"y" * 90).status == 507
        client.call("DELETE", f"/v1/jobs/{job_id}")
        assert client.put(f"/v1/blobs/sha256/{sha_of(b'y' * 90)}", b"y" * 90).status == 201


def test_an_upload_that_breaks_off_leaves_nothing(hub: Served) -> None:
    token = hub.client().token
    head = f"PUT {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(CONTENT)}\r\n\r\n"
    with plain_socket(hub.url) as connection:
        connection.sendall(head.encode() + CONTENT[:1000])
        until(lambda: names(hub))  # it is being written
    until(lambda: not names(hub))


def test_an_agent_reads_the_files_of_its_live_lease_alone(hub: Served) -> None:
    agent, client = hub.enrol(), hub.client()
    client.submit(b"mine")
    client.upload(b"other")
    mine, other = (f"/v1/blobs/sha256/{sha_of(content)}" for content in (b"mine", b"other"))
    assert agent.api.get(mine).status == 403
    fence = agent.lease().json["fence"]
    assert agent.api.get(mine).body == b"mine"
    assert agent.api.call("HEAD", mine).status == 200
    assert agent.api.get(other).status == 403
    assert agent.api.put(other, b"other").status == 403
    agent.api.post(f"/v1/leases/{fence}/fail", {"kind": "unsupported", "reason": "no"})
    assert agent.api.get(mine).status == 403


def test_a_connection_serves_a_refusal_and_what_follows(shared_hub: Served) -> None:
    """A known caller may send what it has begun, read why it is refused, and go on."""
    shown = {"Authorization": f"Bearer {shared_hub.admin.token}"}
    with closing(shared_hub.admin.connect()) as connection:
        connection.request("PUT", "/v1/blobs/sha256/nonsense", body=CONTENT, headers=shown)
        first = connection.getresponse()
        assert first.status == 422
        first.read()
        connection.request("GET", "/v1/health", headers=shown)
        assert connection.getresponse().read() == b'{"status":"ok","protocol":1}'


def test_one_who_says_it_waits_for_a_word_is_given_it(shared_hub: Served) -> None:
    token, content = shared_hub.admin.token, b"expected"
    head = (
        f"PUT /v1/blobs/sha256/{sha_of(content)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Expect: 100-continue\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    with plain_socket(shared_hub.url) as connection:
        connection.sendall(head.encode())
        response = connection.recv(1 << 16)
        assert response.startswith(b"HTTP/1.1 100 ")
        connection.sendall(content)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 201
        answer.close()
