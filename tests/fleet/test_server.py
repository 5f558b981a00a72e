from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from command import ROOT

from bench.agent.connections import is_loopback
from bench.errors import FleetError, StoreError
from bench.fleet.auth import hash_token
from bench.fleet.certificates import ensure_certificate, fingerprint
from bench.fleet.server import HubServer

from .hubs import Api, read_to_end, served, talk, until

SERVE = """
import sys
from pathlib import Path
from bench.fleet.server import HubServer

folder, db = map(Path, sys.argv[1:])
HubServer(folder, db, port=0).serve_forever(told=lambda hub: print(hub.url, flush=True))
"""


def unverified() -> ssl.SSLContext:
    """Takes any certificate, as those do who look at its fingerprint."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def shown(host: str, port: int) -> str:
    with socket.create_connection((host, port), timeout=30) as plain, unverified().wrap_socket(plain) as secure:
        content = secure.getpeercert(binary_form=True)
        assert content is not None
        return hashlib.sha256(content).hexdigest()


def test_a_hub_answers_on_loopback_without_tls(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db) as hub:
        told = json.loads((hub.folder / "hub.json").read_text())
        assert told == {
            "host": "127.0.0.1",
            "port": told["port"],
            "url": f"http://127.0.0.1:{told['port']}",
            "fingerprint": None,
            "pid": os.getpid(),
            "database": str(hub.db),
        }
        assert str(hub.server.address) == told["url"]
        assert hub.nobody.get("/v1/health").status == 200
    assert not (hub.folder / "hub.json").exists()
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", told["port"]), timeout=5)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, True) for host in ("127.0.0.1", "127.8.9.1", "::1", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "192.168.1.5", "", "localhost.example.org", "bench")),
    ],
)
def test_what_is_reached_by_this_machine_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_a_hub_for_others_has_tls_and_a_certificate_that_is_pinned(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, host="0.0.0.0") as hub:
        address = hub.server.address
        port = int(address.url.rpartition(":")[2])
        assert address.url.startswith("https://")
        assert "0.0.0.0" not in address.url
        assert address.fingerprint == fingerprint(hub.folder / "certificate.pem") == shown("127.0.0.1", port)
        url = f"https://127.0.0.1:{port}"
        api = Api(url=url, token=hub.admin.token, context=unverified())
        assert api.get("/v1/runners").status == 200
        assert talk(f"http://127.0.0.1:{port}", b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n").find(b" 200 ") == -1
        first = address.fingerprint
    with served(tmp_path, empty_db, host="0.0.0.0") as hub:
        assert hub.server.address.fingerprint == first


def test_tls_is_of_a_version_that_is_safe(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, host="0.0.0.0") as hub:
        port = int(hub.url.rpartition(":")[2])
        context = unverified()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as plain, context.wrap_socket(plain) as secure:
            assert secure.version() in ("TLSv1.2", "TLSv1.3")
        server = hub.server._server
        assert server is not None
        assert server.config.ssl is not None
        assert server.config.ssl.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_slow_handshake_is_not_waited_for(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, host="0.0.0.0", limits={"header_s": 0.3}) as hub:
        port = int(hub.url.rpartition(":")[2])
        begin = time.monotonic()
        assert talk(f"http://127.0.0.1:{port}", b"\x16\x03\x01") == b""
        assert time.monotonic() - begin < 10


def test_an_own_certificate_is_shown_and_pinned_if_nobody_signed_it(tmp_path: Path, empty_db: Path) -> None:
    mine, key = tmp_path / "mine.pem", tmp_path / "mine.key"
    ensure_certificate(mine, key, host="localhost")
    with served(tmp_path, empty_db, certificate=mine, key=key) as hub:
        port = int(hub.url.rpartition(":")[2])
        assert hub.server.address.fingerprint == fingerprint(mine) == shown("127.0.0.1", port)
        assert not (hub.folder / "certificate.pem").exists()


def test_behind_a_proxy_others_are_answered_without_tls(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, host="0.0.0.0", is_behind_proxy=True, url="https://bench.example.org") as hub:
        told = json.loads((hub.folder / "hub.json").read_text())
        assert (told["url"], told["fingerprint"]) == ("https://bench.example.org", None)
        assert Api(url=f"http://127.0.0.1:{told['port']}").get("/v1/health").status == 200


def test_the_certificate_of_a_proxy_is_told_with_its_url(tmp_path: Path, empty_db: Path) -> None:
    url = f"https://bench.example.org#sha256:{'a' * 64}"
    with served(tmp_path, empty_db, is_behind_proxy=True, url=url) as hub:
        assert str(hub.server.address) == url


def test_half_of_a_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="both are needed"):
        HubServer(tmp_path / "fleet", tmp_path / "bench.db", certificate=tmp_path / "x.pem")


def test_a_certificate_that_is_none_is_refused(tmp_path: Path, empty_db: Path) -> None:
    wrong = tmp_path / "x.pem"
    wrong.write_text("nonsense")
    with (
        pytest.raises(FleetError, match=r"cannot be used .* a PEM certificate and its key"),
        served(tmp_path, empty_db, certificate=wrong, key=wrong),
    ):
        pass


def test_a_second_hub_of_a_database_is_refused_and_leaves_the_first_alone(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db) as hub:
        with pytest.raises(FleetError, match="a hub runs for this database already"):
            HubServer(hub.folder, hub.db, port=0).start()
        assert hub.nobody.get("/v1/health").status == 200
        assert (hub.folder / "hub.json").exists()


def test_an_address_that_is_taken_is_told_in_words(tmp_path: Path, empty_db: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(FleetError, match=f"cannot listen on 127.0.0.1:{port} .* give another --host or --port"),
            served(tmp_path, empty_db, port=port),
        ):
            pass
    with served(tmp_path, empty_db) as hub:  # nothing of the first try is left
        assert hub.nobody.get("/v1/health").status == 200


def test_an_address_of_another_machine_is_told_in_words(tmp_path: Path, empty_db: Path) -> None:
    with (
        pytest.raises(FleetError, match=r"cannot listen on 192.0.2.1:0 .* a free address of this machine"),
        served(tmp_path, empty_db, host="192.0.2.1", is_behind_proxy=True),
    ):
        pass


def test_a_database_that_is_none_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "bench.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(StoreError, match="is not a database"):
        HubServer(tmp_path / "fleet", tmp_path / "bench.db", port=0).start()


def test_the_token_of_this_machine_lives_as_long_as_it_is_valid(tmp_path: Path, empty_db: Path) -> None:
    def live(hub_folder: Path) -> str:
        return (hub_folder / "client.token").read_text().strip()

    with served(tmp_path, empty_db) as hub:
        first = live(hub.folder)
    with served(tmp_path, empty_db) as hub:
        assert live(hub.folder) == first
        token_id = next(token["id"] for token in hub.admin.get("/v1/tokens").json if token["name"] == "local")
        hub.admin.call("DELETE", f"/v1/tokens/{token_id}")
    with served(tmp_path, empty_db) as hub:
        second = live(hub.folder)
        assert second != first
        assert hub.admin.get("/v1/tokens").status == 200
        assert Api(url=hub.url, token=first).get("/v1/tokens").status == 401
    (tmp_path / "fleet" / "client.token").unlink()
    with served(tmp_path, empty_db) as hub:
        tokens = hub.admin.get("/v1/tokens").json
        assert [token["revoked_at"] is None for token in tokens if token["name"] == "local"] == [False, False, True]
        assert hash_token(second) not in json.dumps(tokens)


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db) as hub, contextlib.closing(hub.nobody.connect()) as connection:
        connection.request("GET", "/v1/health")
        connection.getresponse().read()
        # By type: `isinstance` asks `__class__` of every object alive, and some warn when asked.
        taken = [
            transport.get_extra_info("socket")
            for transport in gc.get_objects()
            if issubclass(type(transport), asyncio.Transport)
            and transport.get_extra_info("peername") == connection.sock.getsockname()
        ]
        assert [bool(found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)) for found in taken] == [True]


def test_a_hub_ends_within_seconds_whatever_is_under_way(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db) as hub:
        idle = hub.nobody.connect()
        idle.request("GET", "/v1/health")
        idle.getresponse().read()
        half = socket.create_connection(("127.0.0.1", int(hub.url.rpartition(":")[2])), timeout=30)
        half.sendall(b"GET /v1/health HTTP/1.1\r\n")
        begin = time.monotonic()
    assert time.monotonic() - begin < 10
    idle.close()
    half.close()


def test_connections_that_come_while_a_hub_ends_end_with_it(tmp_path: Path, empty_db: Path) -> None:
    taken: list[socket.socket] = []
    over = threading.Event()

    def knock(port: int) -> None:
        while not over.wait(0.0003):
            with contextlib.suppress(OSError):
                taken.append(socket.create_connection(("127.0.0.1", port), timeout=30))

    with served(tmp_path, empty_db) as hub:
        thread = threading.Thread(target=knock, args=(hub.server.running.port,))
        thread.start()
        until(lambda: taken)
    over.set()
    thread.join()
    for connection in taken:
        assert read_to_end(connection) == b""
        connection.close()


def test_a_hub_of_its_own_process_ends_by_a_signal(tmp_path: Path, empty_db: Path) -> None:
    numbers = (signal.SIGTERM, signal.SIGINT)
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(hub_process(tmp_path / number.name, empty_db)) for number in numbers]
        for number, process in zip(numbers, processes, strict=True):
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert Api(url=url).get("/v1/health").status == 200
            process.send_signal(number)
            _, errors = process.communicate(timeout=30)
            assert (process.returncode, errors) == (0, "")
            assert not (tmp_path / number.name / "fleet" / "hub.json").exists()


def hub_process(folder: Path, empty_db: Path) -> subprocess.Popen[str]:
    folder.mkdir()
    db = folder / "bench.db"
    db.write_bytes(empty_db.read_bytes())
    return subprocess.Popen(
        [sys.executable, "-c", SERVE, str(folder / "fleet"), str(db)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
