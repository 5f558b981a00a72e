"""Real trainings of the smallest networks: all are done once, whatever ends the process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from command import ROOT, environment

from bench.errors import SearchError
from bench.space import load_space
from bench.study.validation import running, validate
from bench.study.validation.trainings import tasks_of

from .made import OTHERS, quick


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def without_clocks(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (row["id"], row["data"], row["is_long"], row["seed"], [(s["images"], s["accuracy"]) for s in row["scores"]])
        for row in found["trainings"]
    ]


def train_never(*_: object, **__: object) -> dict[str, Any]:
    raise AssertionError("trained again")


def test_everything_is_trained_once_and_a_second_call_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, told = tmp_path / "v.rows.jsonl", []
    asked = quick(seeds=1, against=OTHERS)
    found = validate(asked, journal, concurrency=1, progress=lambda *seen: told.append(seen))
    assert len(found["trainings"]) == 4 * 2 * 2
    assert told[0] == (0, 4 * 2 * (64 + 128))
    assert told[-1] == (told[0][1], told[0][1])
    shorts = [row for row in found["trainings"] if not row["is_long"]]
    assert all([score["images"] for score in row["scores"]] == [16, 64] for row in shorts)
    assert {score["images"] for row in found["trainings"] if row["is_long"] for score in row["scores"]} == {128}
    assert found["data"][0]["fidelity"]["resolution"] == 64
    assert [data["fidelity"]["classes"] for data in found["data"]] == [2, 3]
    assert set(found) >= {"versions", "git_revision", "fingerprint", "space_hash", "device"}
    monkeypatch.setattr(running, "train", train_never)
    again = validate(quick(seeds=1, against=OTHERS), journal, concurrency=1)
    assert without_clocks(again) == without_clocks(found)
    assert again["data"] == found["data"]


def test_what_tells_most_comes_first() -> None:
    points = tuple(load_space("smoke").reference_points.values())
    order = [(task.seed, task.is_long, task.data) for task in tasks_of(quick(against=OTHERS), points)]
    assert order == sorted(order)


def test_a_limit_ends_with_what_there_is_and_the_rest_follows(tmp_path: Path) -> None:
    journal = tmp_path / "v.rows.jsonl"
    part = validate(quick(seeds=1), journal, concurrency=1, limit_s=0.0)
    assert part["trainings"] == []
    assert len(part["networks"]) == 4
    whole = validate(quick(seeds=1), journal, concurrency=1)
    assert len(whole["trainings"]) == 8


def test_a_gpu_that_is_not_there_is_told_first(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("torch sees a GPU here")
    with pytest.raises(SearchError, match="torch sees no GPU"):
        validate(quick(), tmp_path / "v.rows.jsonl", device="cuda")
    assert list(tmp_path.iterdir()) == []


# Trains in two processes until it is killed.
_SCRIPT = """
import sys
from pathlib import Path
from study.validation.made import quick
from bench.study.validation import validate

if __name__ == "__main__":
    validate(quick(seeds=1), Path(sys.argv[1]), concurrency=2)
"""


def rows_of(journal: Path) -> list[dict[str, Any]]:
    lines = journal.read_text().splitlines(keepends=True) if journal.is_file() else []
    return [row for row in (json.loads(line) for line in lines if line.endswith("\n")) if row["kind"] == "training"]


def test_killed_at_once_it_keeps_finished_trainings_and_leaves_no_process(tmp_path: Path) -> None:
    journal, script = tmp_path / "v.rows.jsonl", tmp_path / "script.py"
    script.write_text(_SCRIPT)
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    process = subprocess.Popen(
        [sys.executable, str(script), str(journal)], cwd=tmp_path, env=environment(tmp_path) | {"PYTHONPATH": paths}
    )
    try:
        while len(rows_of(journal)) < 2:
            assert process.poll() is None
            time.sleep(0.05)
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = rows_of(journal)
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
    found = validate(quick(seeds=1), journal, concurrency=1)
    assert without_clocks(found)[: len(kept)] == without_clocks({"trainings": kept})
    assert len({tuple(row[:4]) for row in without_clocks(found)}) == len(found["trainings"]) == 4 * 2
