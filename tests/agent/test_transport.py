from __future__ import annotations

import pickle
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.agent.transport import Hub, HubAwayError, HubError

from .scripted_hub import Answer, Asked, Certificate, RawHub, ScriptedHub, raw_hub, read_head, scripted_hub

TOKEN = "a-token-of-this-test"
FINE = Answer(body={"status": "ok"})


def fine(asked: Asked) -> Answer:
    return FINE


class Pauses:
    """In place of sleeping: keeps how long it would have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


class Sequence:
    """Answers one after the other, the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)

    def __call__(self, asked: Asked) -> Answer:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.fixture
def plain() -> Iterator[ScriptedHub]:
    with scripted_hub(fine) as found:
        yield found


def impatient(server: ScriptedHub | RawHub, pauses: Pauses | None = None) -> Hub:
    """A client that never sleeps, and whose chance is always the greatest."""
    return Hub(server.url, token=TOKEN, timeout_s=5.0, sleep=pauses or Pauses(), chance=lambda: 1.0)


def test_json_goes_out_and_comes_back_with_the_token(plain: ScriptedHub) -> None:
    plain.answer = lambda asked: Answer(body={"doubled": 2 * asked.json()["number"]}, headers={"X-Place": "here"})
    hub = impatient(plain)
    reply = hub.request("POST", "/v1/double?wait=2", body={"number": 21})
    hub.close()
    assert reply.json() == {"doubled": 42}
    assert reply.headers["x-place"] == "here"
    (asked,) = plain.asked
    assert (asked.path, asked.headers["authorization"]) == ("/v1/double?wait=2", f"Bearer {TOKEN}")
    assert asked.headers["content-type"] == "application/json"


def test_without_a_token_none_is_sent(plain: ScriptedHub) -> None:
    hub = Hub(plain.url)
    hub.request("GET", "/v1/health")
    hub.close()
    assert "authorization" not in plain.asked[0].headers


def test_refusal_is_the_hubs_own_line(plain: ScriptedHub) -> None:
    plain.answer = lambda asked: Answer(409, {"error": "the fence\x1b[2J is\nstale"})
    with pytest.raises(HubError) as caught:
        impatient(plain).request("PUT", "/v1/leases/1/result", body=b"{}")
    assert (str(caught.value), caught.value.status) == ("the fence?[2J is stale (HTTP 409)", 409)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301  (made here)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[1]", b'{"error": 5}', b'{"error": ["x"]}'])
def test_refusal_without_a_line_is_told_by_its_status(plain: ScriptedHub, content: bytes) -> None:
    plain.answer = lambda asked: Answer(404, content)
    with pytest.raises(HubError, match=r"^Not Found \(HTTP 404\)$"):
        impatient(plain).request("GET", "/v1/jobs/1")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a": NaN}', b"\xff", b"[" * 100_000])
def test_answer_that_is_no_json_object_is_an_error(plain: ScriptedHub, content: bytes) -> None:
    plain.answer = lambda asked: Answer(200, content)
    hub = impatient(plain)
    reply = hub.request("GET", "/v1/health")
    hub.close()
    with pytest.raises(HubError, match="no JSON object"):
        reply.json()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_refused(plain: ScriptedHub, status: int) -> None:
    with scripted_hub(fine) as other:
        plain.answer = lambda asked: Answer(status, headers={"Location": other.url})
        with pytest.raises(HubError, match="sends elsewhere"):
            impatient(plain).request("GET", "/v1/health")
        assert not other.asked
    assert len(plain.asked) == 1


# Certificates.


def test_right_fingerprint_is_let_through(certificate: Certificate) -> None:
    with scripted_hub(fine, certificate) as server:
        for fingerprint in (certificate.fingerprint, f"sha256:{certificate.fingerprint.upper()}"):
            hub = Hub(server.url, fingerprint=fingerprint, token=TOKEN)
            assert hub.request("GET", "/v1/health").json() == {"status": "ok"}
            hub.close()


def test_wrong_fingerprint_is_told_nothing(certificate: Certificate) -> None:
    pauses = Pauses()
    with scripted_hub(fine, certificate) as server:
        hub = Hub(server.url, fingerprint="0" * 64, token=TOKEN, sleep=pauses)
        with pytest.raises(HubError, match="shows the certificate sha256:") as caught:
            hub.request("GET", "/v1/health")
        assert not server.asked
    assert (caught.value.status, caught.value.is_passing, pauses.seconds) == (0, False, [])


def test_certificate_without_a_fingerprint_must_be_signed(certificate: Certificate) -> None:
    with scripted_hub(fine, certificate) as server:
        with pytest.raises(HubError, match="is not trusted") as caught:
            Hub(server.url, token=TOKEN, sleep=Pauses()).request("GET", "/v1/health")
        assert not server.asked
    assert not caught.value.is_passing


def test_plain_http_goes_to_this_machine_only() -> None:
    for url in ("http://192.0.2.7:8741", "http://hub.example:8741"):
        with pytest.raises(HubError, match="https is needed"):
            Hub(url)
    Hub("http://localhost:8741")
    Hub("http://[::1]:8741")


@pytest.mark.parametrize(
    "url",
    ["", "hub", "ftp://127.0.0.1", "http://", "http://127.0.0.1:x", "https://a:hunter2@b", "https://a/b", "http://["],
)
def test_what_is_no_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(HubError, match="no address of a hub") as caught:
        Hub(url)
    assert "hunter2" not in str(caught.value)


def test_what_is_no_fingerprint_is_refused() -> None:
    with pytest.raises(HubError, match="no fingerprint"):
        Hub("https://127.0.0.1:1", fingerprint="sha256:12")


# Retries.


def test_what_may_be_repeated_is_with_growing_pauses(plain: ScriptedHub) -> None:
    plain.answer = Sequence(Answer(503), Answer(502), Answer(504), FINE)
    pauses, told = Pauses(), list[str]()
    hub = Hub(plain.url, sleep=pauses, chance=lambda: 1.0, told=told.append)
    assert hub.request("GET", "/v1/health").json() == {"status": "ok"}
    hub.close()
    assert pauses.seconds == [0.5, 1.0, 2.0]
    assert told[0] == "GET /v1/health: Service Unavailable (HTTP 503); attempt 2 of 5 in 0.5 s"
    assert len(told) == 3


def test_pauses_have_jitter_and_an_end(plain: ScriptedHub) -> None:
    plain.answer = Sequence(*[Answer(503)] * 12, FINE)
    pauses = Pauses()
    hub = Hub(plain.url, sleep=pauses, chance=lambda: 0.0)
    hub.request("GET", "/v1/health", attempts=None)
    hub.close()
    assert pauses.seconds[:3] == [0.25, 0.5, 1.0]
    assert pauses.seconds[-1] == 15.0


def test_attempts_end(plain: ScriptedHub) -> None:
    plain.answer = lambda asked: Answer(503)
    with pytest.raises(HubError, match="503"):
        impatient(plain).request("GET", "/v1/health", attempts=3)
    assert len(plain.asked) == 3


def test_error_inside_the_hub_is_not_waited_for_for_ever(plain: ScriptedHub) -> None:
    plain.answer = lambda asked: Answer(500)
    with pytest.raises(HubError, match="500"):
        impatient(plain).request("PUT", "/v1/leases/1/result", body=b"{}", attempts=None)
    assert len(plain.asked) == 8


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), ("86400", 300.0), ("0", 0.5), ("soon", 0.5), ("-5", 0.5)])
def test_retry_after_is_kept_to(plain: ScriptedHub, text: str, seconds: float) -> None:
    plain.answer = Sequence(Answer(429, headers={"Retry-After": text}), FINE)
    pauses = Pauses()
    hub = impatient(plain, pauses)
    hub.request("POST", "/v1/jobs", body={})  # nothing was done, whatever the call is
    hub.close()
    assert pauses.seconds == [seconds]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
def test_refusals_are_final(plain: ScriptedHub, status: int) -> None:
    plain.answer = lambda asked: Answer(status)
    with pytest.raises(HubError) as caught:
        impatient(plain).request("GET", "/v1/jobs/1")
    assert (len(plain.asked), caught.value.is_passing) == (1, False)


def test_what_may_not_be_repeated_is_not() -> None:
    with raw_hub(lambda connection: None) as server:
        with pytest.raises(HubAwayError):
            impatient(server).request("POST", "/v1/enroll", body={})
        assert server.accepted == 1
        with pytest.raises(HubAwayError):
            impatient(server).request("POST", "/v1/jobs", body={}, headers={"Idempotency-Key": "k"}, attempts=3)
        assert server.accepted == 4


def test_nobody_there_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(HubAwayError, match=r"does not answer \(Connection refused\)") as caught:
        Hub(url, sleep=Pauses()).request("GET", "/v1/health", attempts=2)
    assert caught.value.is_passing


# Sizes and times.


def test_answer_that_says_it_is_too_large_is_not_read(plain: ScriptedHub) -> None:
    plain.answer = lambda asked: Answer(200, b"x" * 1001)
    with pytest.raises(HubError, match="more than 1000 bytes"):
        impatient(plain).request("GET", "/v1/health", limit=1000)
    assert len(plain.asked) == 1


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"],
    ids=["chunked", "to the end"],
)
def test_endless_answer_is_cut_off(head: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(head)
        block = b"x" * 0x4000
        while True:
            connection.sendall(b"4000\r\n" + block + b"\r\n" if b"chunked" in head else block)

    with raw_hub(talk) as server, pytest.raises(HubError, match="more than 100000 bytes"):
        impatient(server).request("GET", "/v1/health", limit=100_000)


DRIPS = {
    "status": (b"", b"H"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"),
}


@pytest.mark.parametrize("place", DRIPS)
def test_answer_that_drips_in_ends_with_its_time(place: str) -> None:
    head, drop = DRIPS[place]

    def talk(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(head)
        while True:
            connection.sendall(drop)
            time.sleep(0.01)

    begin = time.monotonic()
    with raw_hub(talk) as server, pytest.raises(HubAwayError, match="does not answer"):
        impatient(server).request("GET", "/v1/health", timeout_s=0.3, attempts=1)
    assert time.monotonic() - begin < 5.0


def test_answer_that_breaks_off_is_no_answer() -> None:
    def talk(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"status": ')

    with raw_hub(talk) as server, pytest.raises(HubAwayError):
        impatient(server).request("GET", "/v1/health", attempts=1)


@pytest.mark.parametrize(
    "nonsense", [b"", b"\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"\x16\x03\x01"]
)
def test_what_is_no_http_is_no_answer(nonsense: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(nonsense)

    with raw_hub(talk) as server, pytest.raises(HubAwayError):
        impatient(server).request("GET", "/v1/health", attempts=1)


def test_refusal_in_the_middle_of_an_upload_is_heard(tmp_path: Path) -> None:
    def talk(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b'HTTP/1.1 413 No\r\nContent-Length: 22\r\n\r\n{"error": "too large"}')
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 16):  # what is under way, so that the answer is not thrown away with it
            pass

    path = tmp_path / "file"
    path.write_bytes(bytes(8 << 20))
    with raw_hub(talk) as server, pytest.raises(HubError, match="too large") as caught:
        impatient(server).request("PUT", "/v1/blobs/sha256/0", body=path)
    assert caught.value.status == 413


# Files.


def test_file_goes_up_as_it_is(plain: ScriptedHub, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    hub = impatient(plain)
    hub.request("PUT", "/v1/blobs/sha256/0", body=path)
    hub.close()
    (asked,) = plain.asked
    assert (asked.body, asked.headers["content-length"]) == (b"content", "7")


def test_answer_goes_to_a_file_of_its_owner(plain: ScriptedHub, tmp_path: Path) -> None:
    plain.answer = lambda asked: Answer(200, b"abc")
    path = tmp_path / "file"
    hub = impatient(plain)
    reply = hub.request("GET", "/v1/blobs/sha256/0", stream_to=path, limit=3)
    hub.close()
    assert path.read_bytes() == b"abc"
    assert path.stat().st_mode & 0o777 == 0o600
    assert reply.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_file_of_a_failed_call_is_gone(plain: ScriptedHub, tmp_path: Path) -> None:
    plain.answer = lambda asked: Answer(200, b"abcd", headers={"Content-Length": "9"})  # and then it is silent
    path = tmp_path / "file"
    with pytest.raises(HubAwayError):
        impatient(plain).request("GET", "/v1/x", stream_to=path, limit=9, timeout_s=0.3, attempts=1)
    assert not path.exists()


def test_what_lies_there_is_not_overwritten(plain: ScriptedHub, tmp_path: Path) -> None:
    own, link = tmp_path / "own", tmp_path / "link"
    own.write_text("mine")
    link.symlink_to(own)
    for path in (own, link):
        with pytest.raises(HubError, match="cannot be used"):
            impatient(plain).request("GET", "/v1/x", stream_to=path, limit=100)
    assert own.read_text() == "mine"


# Connections.


def test_connection_is_kept_for_what_may_be_repeated(plain: ScriptedHub) -> None:
    hub = impatient(plain)
    for method in ("GET", "PUT", "POST", "GET"):
        hub.request(method, "/v1/health")
    hub.close()
    first, second, third, fourth = (asked.port for asked in plain.asked)
    assert first == second
    assert third != second
    assert fourth == third


def test_connection_that_the_hub_has_closed_is_made_anew_unnoticed() -> None:
    def talk(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    told: list[str] = []
    with raw_hub(talk) as server:
        hub = Hub(server.url, told=told.append)
        for _ in range(3):
            assert hub.request("GET", "/v1/health").json() == {}
        hub.close()
        assert server.accepted == 3
    assert told == []
