"""Who may ask for what: reading alone, from this machine or with the token, and never from another site."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_studies import add_mixed

from bench.dashboard.guard import POLICY
from bench.dashboard.listening import Listening
from bench.dashboard.serving import DashboardServer
from bench.dashboard.source import Source
from bench.store import Store

from .asked import ask

TOKEN = "t" * 32


@pytest.fixture
def url(source: Source) -> Iterator[str]:
    with DashboardServer(source) as server:
        yield server.url


@pytest.fixture
def closed(source: Source) -> Iterator[str]:
    """A server that wants the token."""
    with DashboardServer(source, Listening(port=0, token=TOKEN)) as server:
        yield server.url


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/", "/api/studies", "/api/studies/1/points", "/none"])
def test_nothing_but_reading_is_taken(shared_url: str, method: str, path: str) -> None:
    found = ask(shared_url, path, method=method)
    assert found.status == 405
    assert found.headers["allow"] == "GET, HEAD"
    assert found.error == f"method {method}; this server only reads; use GET"


def test_a_body_is_refused(shared_url: str) -> None:
    assert ask(shared_url, "/api/studies", body=b"{}").status == 413
    assert ask(shared_url, "/api/studies").status == 200


def test_a_long_query_is_refused(shared_url: str) -> None:
    assert ask(shared_url, "/api/studies?" + "x" * 20_000).status in (400, 414)


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/studies", "/api/studies/9", "/none"])
def test_every_answer_says_what_a_page_may_do(shared_url: str, path: str) -> None:
    headers = ask(shared_url, path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_the_policy_allows_nothing_inline_and_nothing_elsewhere() -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in POLICY.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in POLICY
    assert "*" not in POLICY
    assert "http" not in POLICY


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8750", "127.0.0.1.evil.example", "", "[::", "0.0.0.0"])
def test_other_names_for_this_machine_are_refused(shared_url: str, host: str) -> None:
    """A page of another site that has led its own name here (DNS rebinding) reads nothing."""
    found = ask(shared_url, "/api/studies", host=host)
    assert found.status in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "localhost:1234", "127.0.0.1", "[::1]:80"])
def test_names_of_loopback_are_known(shared_url: str, host: str) -> None:
    assert ask(shared_url, "/api/studies", host=host).status == 200


def test_another_site_cannot_ask(shared_url: str) -> None:
    assert ask(shared_url, "/api/studies", sec_fetch_site="cross-site", sec_fetch_mode="cors").status == 403
    assert ask(shared_url, "/", sec_fetch_site="cross-site", sec_fetch_mode="navigate").status == 200  # a link
    assert ask(shared_url, "/api/studies", sec_fetch_site="same-origin").status == 200


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/studies", "/api/studies/1.csv"])
def test_without_the_token_nothing_opens(closed: str, path: str) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"cookie": "bench-dashboard-1=x"}):
        found = ask(closed, path, **headers)
        assert found.status == 401
        assert b"made" not in found.body


def test_the_token_opens_once_and_the_cookie_from_then_on(closed: str) -> None:
    found = ask(closed, f"/?token={TOKEN}&x=1")
    assert found.status == 303
    assert found.headers["location"] == "/?x=1"  # the token stays in no address
    cookie = found.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie  # a link in a mail leads here from another site
    assert TOKEN not in cookie
    assert ask(closed, "/api/studies", cookie=cookie.partition(";")[0]).status == 200
    assert ask(closed, "/api/studies", authorization=f"Bearer {TOKEN}").status == 200


@pytest.mark.parametrize(
    "line",
    [
        "{name}={word}",
        'other="a; {name}={word}',
        "a=[]; b={{x}}; no value; =; {name}={word}; expires=1",
        '{name}="{word}"',
        "\xfc\xdf=\xe9; {name}={word}",
        "{name}=old; {name}={word}",
        "{name}={word}; {name}=old",
        "$Version=1; path=/; {name} = {word}",
    ],
)
def test_odd_cookies_beside_ours_lock_nobody_out(closed: str, line: str) -> None:
    name, _, word = ask(closed, f"/?token={TOKEN}").headers["set-cookie"].partition(";")[0].partition("=")
    assert ask(closed, "/api/studies", cookie=line.format(name=name, word=word)).status == 200


@pytest.mark.parametrize(
    "line", ["", ";;;", "=", '"', "\xff\xfe=\xfd", "{name}", "{name}=", "{name}=\xe9", '{name}="', "a" * 3000]
)
def test_odd_cookies_alone_open_nothing(closed: str, line: str) -> None:
    name = f"bench-dashboard-{closed.rstrip('/').rpartition(':')[2]}"
    assert ask(closed, "/api/studies", cookie=line.format(name=name)).status == 401


@pytest.mark.parametrize("token", ["", "x", TOKEN + "t", "%00"])
def test_another_token_opens_nothing(closed: str, token: str) -> None:
    found = ask(closed, f"/?token={token}")
    assert found.status == 401
    assert "set-cookie" not in found.headers


def test_a_token_leads_nowhere_else(closed: str) -> None:
    assert ask(closed, f"//evil.example/?token={TOKEN}").status == 401
    assert ask(closed, f"/api/studies?token={TOKEN}").status == 401


def test_half_a_request_keeps_nobody_waiting(shared_url: str) -> None:
    port = int(shared_url.rstrip("/").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost")
        assert ask(shared_url, "/api/studies").status == 200


def test_the_database_is_not_written(url: str, db: Path, store: Store) -> None:
    add_mixed(store, "second")
    store.close()
    before = db.read_bytes()
    for path in ("/api/studies", "/api/studies/1", "/api/studies/1/points", "/api/trials/1", "/api/studies/1.csv"):
        assert ask(url, path).status == 200
    assert db.read_bytes() == before


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="needs sqlite3")
def test_the_database_passes_its_check_afterwards(url: str, db: Path) -> None:
    ask(url, "/api/studies/1/points")
    told = subprocess.run(["sqlite3", str(db), "PRAGMA integrity_check"], capture_output=True, text=True, check=True)
    assert told.stdout == "ok\n"
