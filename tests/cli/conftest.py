from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .here import Here, run_here


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Here]:
    """Runs a command in an empty folder; what it does to this process is undone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_DB", raising=False)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    before = signal.getsignal(signal.SIGTERM)
    yield lambda *words: run_here(capsys, *words)
    signal.signal(signal.SIGTERM, before)
