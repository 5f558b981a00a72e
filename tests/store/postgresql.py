"""A real PostgreSQL server for the tests: made in a temporary folder by an unprivileged user, reached by a socket."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def server() -> Iterator[str]:
    """The URL of the server's database; skips where there is no server program or no driver."""
    pytest.importorskip("psycopg", reason="needs the extra bench[postgresql]")
    initdb, postgres = _program("initdb"), _program("postgres")
    # Not tmp_path: the server runs as another user, and a socket's path is short (107 bytes).
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    subprocess.run(
        [initdb, "--no-sync", "--auth=trust", "--username=bench", "--encoding=UTF8", "--pgdata", str(data)],
        check=True,
        user=user,
        cwd=folder,
        capture_output=True,
        timeout=60,
    )
    process = subprocess.Popen(
        [postgres, "-D", str(data), "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"],
        user=user,
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait_until_ready(process)
        yield f"postgresql://bench@/postgres?host={folder}"
    finally:
        # SIGINT: the server's fast shutdown, which does not wait for its clients.
        process.send_signal(2)
        process.communicate(timeout=30)
        shutil.rmtree(folder)


def _wait_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if "ready to accept connections" in line:
            return
    raise AssertionError("the server ended before it was ready")


def _program(name: str) -> str:
    found = shutil.which(name)
    # Debian keeps the server's programs out of PATH.
    places = [found] if found else sorted(str(path) for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not places:
        pytest.skip(f"needs PostgreSQL's {name}")
    return places[-1]
