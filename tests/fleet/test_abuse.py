"""A hub among peers that send slowly, without end, too much, or nonsense."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bench.errors import StoreError

from .examples import sha_of
from .hubs import Api, Served, plain_socket, read_to_end, served, talk, until

MIB = 1 << 20


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def error_of(answer: bytes) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower()
    line: str = json.loads(body)["error"]
    return line


def put(hub: Served, content: bytes, length: int, **more: str) -> bytes:
    """The head of an upload that says it has so many bytes."""
    headers = {"Host": "x", "Authorization": f"Bearer {hub.admin.token}", "Content-Length": f"{length}", **more}
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"PUT /v1/blobs/sha256/{sha_of(content)} HTTP/1.1", *lines, "", ""]).encode()


def pour(connection: socket.socket, most: int) -> int:
    """The bytes that could be sent before the other side would take no more, or so many."""
    sent = 0
    with suppress(ConnectionError):
        while sent < most:
            sent += connection.send(b"x" * MIB)
    return sent


def blobs(hub: Served) -> list[str]:
    return [path.name for path in (hub.folder / "blobs").iterdir()]


def is_well(hub: Served) -> bool:
    return hub.nobody.get("/v1/health").status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/docs", 404),
        ("GET", "/redoc", 404),
        ("GET", "/v1/health/", 404),
        ("GET", "//v1/health", 404),
        ("GET", "/v1/../v1/health", 404),
        ("POST", "/v1/health", 405),
        ("DELETE", "/v1/jobs", 405),
        ("PATCH", "/v1/runners", 405),
        ("TRACE", "/v1/health", 405),
        ("CONNECT", "/v1/health", 405),
        ("BREW", "/v1/health", 405),
    ],
)
def test_what_is_not_there_is_told_in_one_line_of_json(shared_hub: Served, method: str, path: str, status: int) -> None:
    answer = shared_hub.nobody.call(method, path)
    assert answer.status == status
    assert "openapi.json" in answer.error
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: x\r\nName: \x00\r\n\r\n",
        b"GET /v1/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n",
        b"POST /v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n",
        b"POST /v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"POST /v1/enroll HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\r\n" * 10_000,
    ],
)
def test_what_is_no_http_is_answered_and_closed(shared_hub: Served, request_: bytes) -> None:
    with plain_socket(shared_hub.url) as connection:
        with suppress(OSError):  # it may have answered and closed
            connection.sendall(request_)
            connection.shutdown(socket.SHUT_WR)
        answer = read_to_end(connection)
    assert status_of(answer) in (0, 400)
    if answer:
        assert error_of(answer).startswith("no HTTP/1.1 that is understood")
    assert is_well(shared_hub)


def test_headers_beyond_their_size_are_not_read(shared_hub: Served) -> None:
    begin = b"GET /v1/health HTTP/1.1\r\nHost: x\r\nX-Long: "
    assert status_of(talk(shared_hub.url, begin, b"a" * (1 << 20))) in (0, 400)
    many = b"".join(b"X-%d: y\r\n" % number for number in range(5000))
    whole = b"GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + many + b"\r\n"
    assert status_of(talk(shared_hub.url, whole)) in (0, 400)
    assert is_well(shared_hub)


def test_a_url_beyond_its_size_is_not_read(shared_hub: Served) -> None:
    assert status_of(talk(shared_hub.url, b"GET /v1/" + b"a" * (1 << 20) + b" HTTP/1.1\r\n\r\n")) in (0, 400)


def test_slow_headers_are_not_waited_for(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"header_s": 0.3}) as hub, plain_socket(hub.url) as connection:
        begin = time.monotonic()
        connection.sendall(b"GET /v1/health HTTP/1.1\r\n")
        connection.settimeout(0.05)
        answer = b""
        while time.monotonic() - begin < 20:
            try:
                connection.sendall(b"X: y\r\n")  # a byte now and then buys no time
                chunk = connection.recv(1 << 16)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            if not chunk:
                break
            answer += chunk
        assert 0.2 < time.monotonic() - begin < 10
        assert status_of(answer) in (0, 408)
        assert is_well(hub)


def test_headers_that_stop_are_answered(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"header_s": 0.2}) as hub:
        answer = talk(hub.url, b"GET /v1/health HTTP/1.1\r\nHost")
        assert status_of(answer) == 408
        assert "the headers took over 0.2 s" in error_of(answer)


def test_a_connection_that_says_nothing_is_closed_without_a_word(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"header_s": 0.2}) as hub:
        assert talk(hub.url) == b""


def test_an_idle_connection_is_closed_without_a_word(tmp_path: Path, empty_db: Path) -> None:
    with (
        served(tmp_path, empty_db, limits={"keep_alive_s": 1, "header_s": 0.2}) as hub,
        plain_socket(hub.url) as connection,
    ):
        connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n")
        begin = time.monotonic()
        answer = read_to_end(connection)
        assert status_of(answer) == 200
        assert answer.count(b"HTTP/1.1") == 1
        assert 0.5 < time.monotonic() - begin < 10  # the time for headers does not run between requests


def test_a_slow_body_is_not_waited_for(tmp_path: Path, empty_db: Path) -> None:
    limits = {"body_s": 0.3, "body_bytes_per_s": 1e6}
    with served(tmp_path, empty_db, limits=limits) as hub, plain_socket(hub.url) as connection:
        begin = time.monotonic()
        connection.sendall(put(hub, b"x", 1000))
        connection.settimeout(0.05)
        answer = b""
        while time.monotonic() - begin < 20:
            try:
                connection.sendall(b"x")
                chunk = connection.recv(1 << 16)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            if not chunk:
                break
            answer += chunk
        assert 0.2 < time.monotonic() - begin < 10
        assert status_of(answer) in (0, 408)
        until(lambda: not blobs(hub))
        assert is_well(hub)


def test_a_body_that_stops_is_answered(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"body_s": 0.2}) as hub:
        answer = talk(hub.url, put(hub, b"content", 7), b"con")
        assert status_of(answer) == 408
        assert "the body stopped for 20 s, or came slower than 65536 bytes/s after 0.2 s" in error_of(answer)
        until(lambda: not blobs(hub))


def test_a_large_body_has_the_time_that_a_slow_link_takes(tmp_path: Path, empty_db: Path) -> None:
    limits = {"body_s": 0.1, "body_bytes_per_s": 10.0}
    with served(tmp_path, empty_db, limits=limits) as hub, plain_socket(hub.url) as connection:
        connection.sendall(put(hub, b"content", 7, Connection="close") + b"con")
        time.sleep(0.3)  # longer than a body without length may take
        connection.sendall(b"tent")
        assert status_of(read_to_end(connection)) == 201


def test_uploads_that_stop_give_back_what_was_kept_for_them(tmp_path: Path, empty_db: Path) -> None:
    """However long their length would allow them to take."""
    limits = {"stall_s": 3.0, "blobs_bytes": 10 * MIB}  # time to ask in between, on a busy machine too
    with served(tmp_path, empty_db, limits=limits) as hub, ExitStack() as stack:
        other = hub.client()
        stalled = [stack.enter_context(plain_socket(hub.url)) for _ in range(2)]
        for index, connection in enumerate(stalled):
            connection.sendall(put(hub, b"%d" % index, 4 * MIB) + b"begin")
        until(lambda: len(blobs(hub)) == 2)
        content = bytes(4 * MIB)
        crowded = other.put(f"/v1/blobs/sha256/{sha_of(content)}", content)
        assert (crowded.status, crowded.headers["retry-after"]) == (503, "10")
        assert "while uploads of 8388608 bytes are under way" in crowded.error
        answers = [read_to_end(connection) for connection in stalled]
        assert [status_of(answer) for answer in answers] == [408, 408]
        assert "the body stopped for 3 s" in error_of(answers[0])
        until(lambda: not blobs(hub))
        assert other.put(f"/v1/blobs/sha256/{sha_of(content)}", content).status == 201


def test_an_upload_that_trickles_is_not_waited_for_to_its_end(tmp_path: Path, empty_db: Path) -> None:
    limits = {"body_s": 0.5, "body_bytes_per_s": 1e6, "stall_s": 10.0}
    with served(tmp_path, empty_db, limits=limits) as hub, plain_socket(hub.url) as connection:
        connection.sendall(put(hub, b"x", 100 * MIB))  # that may take 105 s
        connection.settimeout(0.05)
        begin, answer = time.monotonic(), b""
        while not answer and time.monotonic() - begin < 20:
            with suppress(TimeoutError):
                connection.sendall(b"x")
                answer = connection.recv(1 << 16)
        assert status_of(answer) == 408
        assert "slower than 1e+06 bytes/s after 0.5 s" in error_of(answer)
        until(lambda: not blobs(hub))


def test_one_token_keeps_no_more_than_its_share_free(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"uploads": 2, "upload_bytes": 3 * MIB}) as hub, ExitStack() as stack:
        for index in range(2):
            connection = stack.enter_context(plain_socket(hub.url))
            connection.sendall(put(hub, b"%d" % index, MIB) + b"begin")
        until(lambda: len(blobs(hub)) == 2)
        refused = hub.admin.put(f"/v1/blobs/sha256/{sha_of(b'more')}", b"more")
        assert (refused.status, refused.headers["retry-after"]) == (429, "5")
        assert "2 uploads of 2097152 bytes are under way with this token" in refused.error
        hub.client().upload(b"more")
        stack.close()
        until(lambda: not hub.server.app.state.hub.uploads._open)
        hub.admin.upload(bytes(4 * MIB))  # one by itself is taken
        connection = stack.enter_context(plain_socket(hub.url))
        connection.sendall(put(hub, b"1", 2 * MIB) + b"begin")
        until(lambda: len(blobs(hub)) == 3)
        large = bytes(2 * MIB)
        assert hub.admin.put(f"/v1/blobs/sha256/{sha_of(large)}", large).status == 429


def test_one_who_does_not_read_an_answer_is_let_go(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"write_s": 0.3}) as hub:
        content = b"\0" * (32 * MIB)
        hub.admin.upload(content)
        shown = f"Host: x\r\nAuthorization: Bearer {hub.admin.token}"
        with plain_socket(hub.url) as connection:
            connection.sendall(f"GET /v1/blobs/sha256/{sha_of(content)} HTTP/1.1\r\n{shown}\r\n\r\n".encode())
            time.sleep(1.0)  # longer than a connection without progress lives
            assert len(read_to_end(connection)) < len(content)
        assert is_well(hub)


def test_connections_beyond_the_most_are_answered_and_closed(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"connections": 3}) as hub:
        held = [plain_socket(hub.url) for _ in range(3)]
        try:
            for connection in held:
                connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n")
                assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
            answer = talk(hub.url)
            assert status_of(answer) == 503
            assert "too many connections" in error_of(answer)
        finally:
            for connection in held:
                connection.close()
        until(lambda: status_of(talk(hub.url, b"GET /v1/health HTTP/1.0\r\n\r\n")) == 200)


def test_a_body_without_end_is_cut_off(shared_hub: Served) -> None:
    """It says that it is as long as nothing ever is."""
    head = put(shared_hub, b"x", 10**15)
    with plain_socket(shared_hub.url) as connection:
        connection.sendall(head)
        assert pour(connection, 200 * MIB) < 100 * MIB
    assert status_of(talk(shared_hub.url, head)) == 413


@pytest.mark.parametrize("part", [b"[],", b'{"":0},', b"[" * 30 + b"]" * 30 + b",", b'"a":0,'])
def test_a_body_that_would_fill_the_memory_is_refused_before_it_is_read(shared_hub: Served, part: bytes) -> None:
    body = b"[" + part * (7 * MIB // len(part)) + b"0]"
    begin = time.monotonic()
    answer = shared_hub.admin.post("/v1/jobs", body, headers={"Idempotency-Key": "key"})
    assert answer.status == 413
    assert "so many brackets, keys and numbers" in answer.error
    assert time.monotonic() - begin < 5  # reading it takes many times that
    assert shared_hub.server.app.state.hub.parsed == 0


def test_what_is_read_at_a_time_is_bounded(tmp_path: Path, empty_db: Path) -> None:
    dense = b"[" + b"0," * 200_000 + b"0]"  # 8 MB in memory
    with served(tmp_path, empty_db, limits={"parsed_bytes": 10 * MIB}) as hub:
        key = {"Idempotency-Key": "key"}
        assert hub.admin.post("/v1/jobs", dense, headers=key).status == 422
        hub.server.app.state.hub.parsed += 9 * MIB  # as another one does
        assert hub.admin.post("/v1/jobs", dense, headers=key).status == 503
        assert hub.admin.post("/v1/enrolments", {"name": "pi5"}).status == 200  # a small one is always read
        hub.server.app.state.hub.parsed -= 9 * MIB
        assert hub.admin.post("/v1/jobs", dense, headers=key).status == 422


def test_one_who_is_unknown_cannot_send_much(shared_hub: Served) -> None:
    head = put(shared_hub, b"x", 100 * MIB, Authorization="Bearer " + "t" * 43)
    with plain_socket(shared_hub.url) as connection:
        connection.sendall(head)
        assert pour(connection, 100 * MIB) < 50 * MIB
    answer = talk(shared_hub.url, head)
    assert status_of(answer) == 401
    assert b"connection: close" in answer.lower()


def test_less_than_was_announced_is_not_kept(shared_hub: Served) -> None:
    with plain_socket(shared_hub.url) as connection:
        connection.sendall(put(shared_hub, b"cont", 7) + b"cont")
        connection.shutdown(socket.SHUT_WR)
        assert status_of(read_to_end(connection)) in (0, 400)
    until(lambda: sha_of(b"cont") not in blobs(shared_hub) and not any("partial" in name for name in blobs(shared_hub)))


def test_more_than_was_announced_is_no_part_of_the_body(hub: Served) -> None:
    answer = talk(hub.url, put(hub, b"con", 3) + b"content\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert b"HTTP/1.1 400 Bad Request" in answer
    assert blobs(hub) == [sha_of(b"con")]


def test_requests_one_after_the_other_without_waiting_are_all_answered(shared_hub: Served) -> None:
    one = b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert talk(shared_hub.url, one * 20 + last).count(b"HTTP/1.1 200 OK") == 21


@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
def test_another_protocol_is_not_switched_to(shared_hub: Served, upgrade: str) -> None:
    request = (
        f"GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: {upgrade}\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n"
    )
    assert status_of(talk(shared_hub.url, request.encode())) == 200


def test_a_token_has_its_rate(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"requests_per_s": 0.2, "request_burst": 5}) as hub:
        found = [hub.admin.get("/v1/runners") for _ in range(6)]
        assert [answer.status for answer in found] == [200] * 5 + [429]
        assert 1 <= int(found[-1].headers["retry-after"]) <= 5
        assert is_well(hub)  # others are not touched


def ask_from(address: str, hub: Served, path: str, **headers: str) -> int:
    """The status of a request that comes from another address of this machine."""
    parts = urlsplit(hub.url)
    assert parts.hostname is not None
    source = (address, 0)
    with closing(http.client.HTTPConnection(parts.hostname, parts.port, source_address=source)) as connection:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status


def test_those_without_a_token_have_a_small_rate(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"anonymous_per_s": 0.1, "anonymous_burst": 3}) as hub:
        code = {"code": "A" * 22, "agent_version": "1", "protocol": 1, "capabilities": {}}
        found = [hub.nobody.post("/v1/enroll", code).status for _ in range(4)]
        assert found == [422, 422, 422, 429]
        assert hub.nobody.get("/v1/health").status == 429
        assert hub.admin.get("/v1/runners").status == 200


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.2 is no address of the machine")
def test_made_up_tokens_of_one_address_are_nobody_elses_trouble(tmp_path: Path, empty_db: Path) -> None:
    limits = {"anonymous_per_s": 0.1, "anonymous_burst": 3}
    with served(tmp_path, empty_db, limits=limits) as hub:
        client = hub.client()
        flood = [ask_from("127.0.0.2", hub, "/v1/runners", Authorization="Bearer " + "t" * 43) for _ in range(6)]
        assert flood == [401, 401, 401, 429, 429, 429]
        assert ask_from("127.0.0.3", hub, "/v1/health") == 200
        # Of the same address, and shown for the first time.
        assert ask_from("127.0.0.2", hub, "/v1/runners", Authorization=f"Bearer {client.token}") == 200


def test_made_up_tokens_cost_the_database_nothing(hub: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    client = hub.client()
    asked: list[object] = []
    monkeypatch.setattr(hub.server.app.state.hub, "sql", asked.append)
    for index in range(20):
        assert Api(url=hub.url, token=f"{index:043}").get("/v1/runners").status == 401
    assert asked == []
    monkeypatch.undo()
    assert client.get("/v1/runners").status == 200


def test_an_error_inside_the_hub_tells_its_log_alone(hub: Served, caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> Mapping[str, Any]:
        raise RuntimeError("secret detail")

    hub.server.app.add_api_route("/v1/boom", fail)
    answer = hub.nobody.get("/v1/boom")
    assert answer.status == 500
    assert answer.error.startswith("an error inside the hub")
    assert b"secret detail" not in answer.body
    assert b"Traceback" not in answer.body
    assert "secret detail" in caplog.text
    assert is_well(hub)


def test_a_database_that_does_not_answer_is_no_fault_of_the_caller(hub: Served) -> None:
    async def fail() -> None:
        raise StoreError("database /home/eve/bench.db stayed locked; a write takes milliseconds; try again")

    hub.server.app.add_api_route("/v1/locked", fail)
    answer = hub.nobody.get("/v1/locked")
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert "eve" not in answer.error


def test_an_old_protocol_is_served(shared_hub: Served) -> None:
    assert status_of(talk(shared_hub.url, b"GET /v1/health HTTP/1.0\r\n\r\n")) == 200


def test_the_answers_say_little_of_what_answers(shared_hub: Served) -> None:
    headers = shared_hub.nobody.get("/v1/health").headers
    assert "server" not in headers
    assert headers["x-content-type-options"] == "nosniff"


def test_two_hubs_of_one_test_do_not_meet(shared_hub: Served, tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db) as other:
        assert other.url != shared_hub.url
        stranger = Api(url=other.url, token=shared_hub.admin.token)
        assert stranger.get("/v1/runners").status == 401


def test_a_header_that_is_no_text_is_survived(shared_hub: Served) -> None:
    with plain_socket(shared_hub.url) as connection:
        connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: \xff\xfe\r\nRange: \xe9\r\nConnection: close\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 200
        answer.close()
