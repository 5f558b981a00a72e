"""What a study is given before it begins: trials at a time, and threads of each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from scripted import config_of

from bench.study.preflight import check


def shared(**execution: Any) -> tuple[int, int]:
    found = check(config_of(execution={"device": "cpu", **execution}), Path.cwd())
    return found.concurrency, found.threads


@pytest.fixture
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.usefixtures("four_cores")
def test_cores_are_shared_out_evenly() -> None:
    assert shared() == (4, 1)
    assert shared(concurrency=2) == (2, 2)
    assert shared(concurrency=1) == (1, 4)
    assert shared(concurrency=8) == (8, 1)


@pytest.mark.usefixtures("four_cores")
@pytest.mark.parametrize(("text", "threads"), [("1", 1), ("3,1", 3), ("9", 4), ("0", 4), ("many", 4)])
def test_a_training_has_no_more_threads_than_the_environment_allows(
    monkeypatch: pytest.MonkeyPatch, text: str, threads: int
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert shared(concurrency=1) == (1, threads)


@pytest.mark.usefixtures("four_cores")
def test_what_a_study_says_itself_counts_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert shared(concurrency=1, threads=3) == (1, 3)
