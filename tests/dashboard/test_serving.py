"""The server while others write: everybody reads the newest state, and the writer is never kept waiting."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from command import started
from made_studies import add_mixed, add_study, add_trial, made_store

from bench.dashboard.serving import DashboardServer
from bench.dashboard.source import Source
from bench.store import Store

from .asked import ask


def test_many_pages_follow_a_study_while_it_is_written(store: Store, db: Path) -> None:
    """Each answer is one state: rows, front and hypervolume belong together, and nobody sees less than before."""
    study = add_study(store, budget=60)
    is_over = threading.Event()

    def follow(url: str) -> list[int]:
        seen: list[int] = []
        while not is_over.is_set() or not seen:
            found = ask(url, f"/api/studies/{study.id}/points").json
            rows = found["rows"]
            assert found["counts"]["tried"] == len(rows["number"])
            assert sorted(found["front"]) == [
                number for number, kind in zip(rows["number"], rows["kind"], strict=True) if kind == "front"
            ]
            seen.append(found["counts"]["tried"])
        return seen

    with Source(db) as source, DashboardServer(source) as server, ThreadPoolExecutor(4) as pool:
        pages = [pool.submit(follow, server.url) for _ in range(4)]
        try:
            for number in range(40):
                add_trial(store, study, accuracy=0.2 + number / 100, ms=10.0 + number % 7)
        finally:
            is_over.set()
        for page in pages:
            seen = page.result(timeout=60)
            assert seen == sorted(seen)
        last = ask(server.url, f"/api/studies/{study.id}/points").json
    assert last["counts"]["tried"] == 40


def test_a_commit_is_told_within_two_seconds(store: Store, db: Path) -> None:
    study = add_mixed(store)
    with Source(db) as source, DashboardServer(source) as server:
        cursor = ask(server.url, f"/api/studies/{study.id}/points").json["cursor"]
        add_trial(store, study, accuracy=0.8, ms=4.0)
        begin = time.monotonic()
        found = ask(server.url, f"/api/studies/{study.id}/points?after={cursor}")
        assert found.json["front"] == [7]
        assert time.monotonic() - begin < 2.0


def test_it_stops_while_somebody_is_connected(store: Store, db: Path) -> None:
    add_mixed(store)
    with Source(db) as source:
        server = DashboardServer(source)
        server.start()
        port = int(server.url.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)):
            begin = time.monotonic()
            server.stop()
            assert time.monotonic() - begin < 10
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port)).close()


def test_the_command_answers_until_it_is_told_to_end(tmp_path: Path) -> None:
    with made_store(tmp_path / "bench.db") as store:
        add_mixed(store)
    with started("dashboard", "--db", "bench.db", "--port", 0, "--no-open", cwd=tmp_path) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("the dashboard answers at http://127.0.0.1:")
        url = line.split()[4].rstrip(";")
        assert json.loads(ask(url, "/api/studies").body)["chosen"] == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
