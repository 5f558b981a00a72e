"""Where the dashboard listens: on loopback as it is, elsewhere with a token and TLS alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.dashboard.listening import Listening, listening
from bench.dashboard.serving import DashboardServer
from bench.dashboard.source import Source
from bench.errors import ConfigError, FleetError

from .asked import ask

TOKEN = "t" * 32


def test_elsewhere_a_token_and_a_certificate_are_needed(source: Source) -> None:
    for where in (Listening(host="0.0.0.0"), Listening(host="0.0.0.0", token=TOKEN)):
        with pytest.raises(ConfigError, match=r"only loopback goes without; give both"):
            DashboardServer(source, where)


def test_elsewhere_both_are_made(source: Source, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    where = listening("0.0.0.0", 0, token_file=None, certificate=None, key=None, folder=lambda: tmp_path / "keys")
    assert where.token is not None
    with DashboardServer(source, where) as server:
        assert server.address.startswith("https://")
        local = f"https://127.0.0.1:{server.url.rpartition(':')[2]}"
        assert ask(local, "/api/studies").status == 401
        found = ask(local, f"/?token={where.token}")
        assert found.status == 303
        assert "; Secure" in found.headers["set-cookie"]
    assert (tmp_path / "keys" / "dashboard.key").stat().st_mode & 0o077 == 0


def test_a_token_file_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "token"
    flags = {"certificate": None, "key": None, "folder": lambda: tmp_path}
    first = listening("127.0.0.1", 0, token_file=path, **flags)
    assert first.token is not None
    assert path.stat().st_mode & 0o777 == 0o600
    assert listening("127.0.0.1", 0, token_file=path, **flags).token == first.token
    path.chmod(0o644)
    with pytest.raises(ConfigError, match=r"--token-file: .* mode 600 is needed; run chmod 600"):
        listening("127.0.0.1", 0, token_file=path, **flags)


@pytest.mark.parametrize("content", ["short", "with spaces in a token of some length", ""])
def test_a_file_without_a_token_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"holds no token; 20 to 100 letters, digits, '-' and '_' are needed; remove"):
        listening("127.0.0.1", 0, token_file=path, certificate=None, key=None, folder=lambda: tmp_path)


def test_a_certificate_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--tls-cert and --tls-key belong together; one was given; give both"):
        listening("127.0.0.1", 0, token_file=None, certificate=tmp_path / "a", key=None, folder=lambda: tmp_path)


def test_a_certificate_that_is_none_is_refused(source: Source, tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("nothing")
    where = Listening(port=0, token=TOKEN, certificate=tmp_path / "a.pem", key=tmp_path / "a.pem")
    with pytest.raises(FleetError, match=r"cannot be used .*; a PEM certificate and its key"):
        DashboardServer(source, where).start()


def test_a_taken_port_is_told_in_a_line(source: Source, shared_url: str) -> None:
    port = int(shared_url.rstrip("/").rpartition(":")[2])
    with pytest.raises(FleetError, match=rf"cannot listen on 127.0.0.1:{port} .*; give another --host or --port"):
        DashboardServer(source, Listening(port=port)).start()
