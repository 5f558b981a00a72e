"""Real hubs on loopback, and what talks to them: the standard library's HTTP, and sockets where that is too tame."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.fleet.limits import Limits
from bench.fleet.server import HubServer

from .examples import CAPABILITIES, RUNNER, body_of, encode, make_job, measured, sha_of

# Tests ask more often than anybody else.
FREE = {
    "requests_per_s": 1e6,
    "request_burst": 10**6,
    "anonymous_per_s": 1e6,
    "anonymous_burst": 10**6,
}
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a hub answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The line of a refusal, which is one object of JSON."""
        assert self.headers["content-type"] == "application/json", self
        line: str = self.json["error"]
        assert "\n" not in line
        return line


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A hub as one caller sees it."""

    url: str
    token: str | None = field(default=None, repr=False)
    context: ssl.SSLContext | None = None

    def connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        if parts.scheme == "https":
            return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT_S, context=self.context)
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)

    def call(self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Answer:
        """One call on a connection of its own; a body that is no bytes goes as JSON."""
        content = body if body is None or isinstance(body, bytes) else encode(body)
        shown = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        with closing(self.connect()) as connection:
            connection.request(method, path, body=content, headers={**shown, **(headers or {})})
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return Answer(status=response.status, headers=told, body=response.read())

    def get(self, path: str, **more: Any) -> Answer:
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.call("POST", path, body, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.call("PUT", path, body, **more)

    def upload(self, *contents: bytes) -> None:
        for content in contents:
            assert self.put(f"/v1/blobs/sha256/{sha_of(content)}", content).status in (200, 201)

    def submit(self, *contents: bytes, key: str = "key", runner: str = RUNNER, **more: Any) -> str:
        """The id of a job whose files are uploaded."""
        contents = contents or (b"network",)
        self.upload(b"reference", *contents)
        found = self.post(
            "/v1/jobs", body_of(make_job(*contents), runner=runner, **more), headers={"Idempotency-Key": key}
        )
        assert found.status in (200, 202), found.body
        job_id: str = found.json["job_id"]
        return job_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A runner's side."""

    id: str
    api: Api

    def lease(self, wait: float = 0) -> Answer:
        return self.api.post(f"/v1/runners/{self.id}/lease?wait={wait}")

    def result(self, fence: int, documents: Any) -> Answer:
        return self.api.put(f"/v1/leases/{fence}/result", {"measurements": documents})


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A hub that runs, with its administrator."""

    server: HubServer
    folder: Path
    db: Path
    admin: Api

    @property
    def url(self) -> str:
        return self.server.address.url

    @property
    def nobody(self) -> Api:
        return Api(url=self.url)

    def client(self, name: str = "laptop", kind: str = "client") -> Api:
        token = self.admin.post("/v1/tokens", {"kind": kind, "name": name}).json["token"]
        return Api(url=self.url, token=token)

    def code(self, name: str = RUNNER) -> str:
        code: str = self.admin.post("/v1/enrolments", {"name": name}).json["code"]
        return code

    def enrol(self, name: str = RUNNER) -> Agent:
        found = self.nobody.post("/v1/enroll", enrolment(self.code(name)))
        assert found.status == 200, found.body
        return Agent(id=found.json["runner_id"], api=Api(url=self.url, token=found.json["token"]))

    def done(self, agent: Agent, client: Api, *, key: str = "done") -> tuple[str, int]:
        """A job that was measured; its id and its fence."""
        job_id = client.submit(key=key)
        fence = agent.lease().json["fence"]
        assert agent.result(fence, measured(make_job(b"network"))).status == 200
        return job_id, fence


def enrolment(code: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "agent_version": "0.1.0", "protocol": 1, "capabilities": dict(CAPABILITIES), **more}


@contextmanager
def served(
    folder: Path, empty_db: Path, *, limits: Mapping[str, Any] | None = None, **settings: Any
) -> Iterator[Served]:
    """A hub on a free port of loopback, with a database of its own."""
    db = folder / "bench.db"
    if not db.exists():
        shutil.copy(empty_db, db)
    chosen = Limits(**{**FREE, **(limits or {})})
    with HubServer(folder / "fleet", db, **{"port": 0, "limits": chosen, **settings}) as server:
        token = (folder / "fleet" / "client.token").read_text().strip()
        yield Served(server=server, folder=folder / "fleet", db=db, admin=Api(url=server.address.url, token=token))


def plain_socket(url: str) -> socket.socket:
    """A connection on which anything can be said."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT_S)


def read_to_end(connection: socket.socket) -> bytes:
    """Whatever comes until the other side closes; an abrupt end is one too."""
    found = b""
    with suppress(ConnectionError):
        while chunk := connection.recv(1 << 16):
            found += chunk
    return found


def talk(url: str, *parts: bytes) -> bytes:
    """Sends raw bytes and reads until the hub closes."""
    with plain_socket(url) as connection:
        with suppress(ConnectionError):  # it may have answered and closed
            for part in parts:
                connection.sendall(part)
        return read_to_end(connection)


def until(what: Any, *, limit_s: float = TIMEOUT_S) -> Any:
    """What `what()` gives once that is true; for things that happen in another thread."""
    end = time.monotonic() + limit_s
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
    return found
