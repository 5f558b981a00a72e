"""The dashboard's command as its benchmark asks it."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from command import started


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A dashboard in a process of its own."""

    url: str
    process: psutil.Process

    def ask(self, path: str) -> tuple[float, int, bytes]:
        """Seconds, status and body, not compressed."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=120)
        try:
            begin = time.perf_counter()
            connection.request("GET", path, headers={"accept-encoding": "identity"})
            answer = connection.getresponse()
            body = answer.read()
            return time.perf_counter() - begin, answer.status, body
        finally:
            connection.close()


@contextmanager
def serving(db: Path) -> Iterator[Server]:
    with started("dashboard", "--db", db, "--port", 0, "--no-open", cwd=db.parent) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[4].rstrip(";")
        yield Server(url=url, process=psutil.Process(process.pid))
