"""`bench measure` and `bench calibrate` on networks of the smoke space: once as users run them, then in this process,
which has what a process of its own would import for seconds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command import QUICK, bench

from bench.store import open_store

from .here import Here, bench_here

POINTS = ("smoke_repmixer", "smoke_attention")
SMALL = ("--space", "smoke", "--quick", "--target", "100")


def test_models_are_timed_side_by_side_and_kept(tmp_path: Path) -> None:
    ended = bench("measure", *POINTS, *SMALL, "--out", "strip.html", cwd=tmp_path)
    assert ended.code == 0, ended.err
    rows = [line for line in ended.out.splitlines() if line.startswith("smoke_")]
    assert re.match(r"smoke_repmixer +\d+\.\d+ +\[.*\] +1 ", rows[0]), ended.out
    assert re.match(r"smoke_attention +\d+\.\d+ +\[.*\] +\d\.\d+ (slower|faster|equal|undecided) +\[", rows[1])
    assert "FastViT-T8 timed twice in this session differs from itself by" in ended.out
    assert "plotly" in (tmp_path / "strip.html").read_text(encoding="utf-8")
    with open_store(tmp_path / "results" / "bench.db", read_only=True) as store:
        kept = store.all_measurements(runner="cpu")
    assert [record.label for record in kept] == list(POINTS)
    assert len({record.session for record in kept}) == 1
    assert kept[0].samples["samples"]
    assert kept[0].samples["contended"]
    assert kept[0].protocol["operators"]["Conv"] > 3
    assert kept[0].fingerprint["export"]["opset"] == 20


def test_runtimes_and_threads_and_forms_are_rows_of_one_session(here: Here, tmp_path: Path) -> None:
    words = ["--runtime", "onnxruntime", "--runtime", "torch", "--form", "deploy", "--form", "train", "--json"]
    ended = here("measure", POINTS[0], *SMALL, *words, "--limit", 1, "--no-store")
    assert ended.code == 0, ended.err
    (rows,) = ended.lines
    assert [row["label"] for row in rows] == [
        "smoke_repmixer, onnxruntime",
        "smoke_repmixer (train form), onnxruntime",
        "smoke_repmixer, torch",
        "smoke_repmixer (train form), torch",
    ]
    assert all(row["summary"]["median_ms"] > 0 for row in rows)
    assert len({row["session"] for row in rows}) == 1
    assert rows[1]["to_first"]["ratio"] > 0
    assert not (tmp_path / "results").exists()


def test_a_file_is_looked_into_and_timed(here: Here, tmp_path: Path) -> None:
    made = here("export", POINTS[0], "--space", "smoke", "--out", "own.onnx")
    assert made.code == 0, made.err
    (tmp_path / "broken.onnx").write_bytes((tmp_path / "own.onnx").read_bytes()[:-500])
    ended = here("measure", "own.onnx", "broken.onnx", *SMALL, "--limit", 1, "--resolution", 64)
    assert ended.code == 0, ended.err
    assert re.search(r"^own\.onnx +\d", ended.out, re.MULTILINE)
    assert re.search(r"^broken\.onnx +- .*failed$", ended.out, re.MULTILINE)
    assert "broken.onnx: failed: checking failed:" in ended.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to measure; a reference point, STUDY/NUMBER or a file is needed"),
        (["fastvit_t9"], "no reference point 'fastvit_t9' in a shipped space"),
        (["fastvit_t8", "--runtime", "onnx"], "runtime 'onnx' does not run on 'cpu'"),
        (["fastvit_t8", "--runner", "apple"], "runs on macOS only"),
        (["fastvit_t8", "--precision", "fp16"], "unknown precision of onnxruntime 'fp16'"),
        (["fastvit_t8", "--cpus", "all"], "--cpus 'all'; numbers with commas are needed"),
        (["fastvit_t8", "--option", "x"], "--option 'x'; KEY=VALUE is needed"),
        (["fastvit_t8", "--out", "no/where.html"], "there is no folder no"),
        (["fastvit_t8", "--import", "x.json"], "--import takes in a file and measures nothing"),
        (["smoke_repmixer", "--space", "smoke", "--form", "timm"], "timm has no such network"),
        (["nowhere.onnx"], "nowhere.onnx cannot be read"),
    ],
)
def test_what_cannot_be_measured_is_one_line(here: Here, words: list[str], message: str) -> None:
    ended = here("measure", *words)
    assert ended.code == 1
    assert message in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_results_made_elsewhere_are_taken_in(here: Here, tmp_path: Path) -> None:
    (tmp_path / "times.json").write_text(
        json.dumps(
            [
                {
                    "startH2dMs": index * 2.0,
                    "endH2dMs": index * 2.0 + 0.1,
                    "startComputeMs": index * 2.0 + 0.1,
                    "endComputeMs": index * 2.0 + 1.1,
                    "startD2hMs": index * 2.0 + 1.1,
                    "endD2hMs": index * 2.0 + 1.2,
                    "h2dMs": 0.1,
                    "computeMs": 1.0,
                    "d2hMs": 0.1,
                    "latencyMs": 1.2,
                }
                for index in range(20)
            ]
        )
    )
    ended = here("measure", "--import", "times.json")
    assert ended.code == 0, ended.err
    assert "trtexec" in ended.out
    with open_store(tmp_path / "results" / "bench.db", read_only=True) as store:
        (record,) = store.all_measurements()
    assert record.verdict == "imported"
    assert "machine" not in record.fingerprint  # nothing of this machine


def test_a_calibrated_runner_skips_what_is_hopeless(here: Here, tmp_path: Path) -> None:
    refused = here("search", "--space", "smoke", "--budget", 2, "--rule", "latency_ms <= 1")
    assert refused.code == 1
    assert "cpu is not calibrated" in refused.err
    assert "run `bench calibrate cpu`" in refused.err

    first = here("calibrate", "cpu", "--space", "smoke", "--count", 12, "--json")
    assert first.code == 0, first.err
    assert first.lines[0]["networks"] == 12
    with open_store(tmp_path / "results" / "bench.db", read_only=True) as store:
        kept = store.all_measurements()
    again = here("calibrate", "cpu", "--space", "smoke", "--count", 10)
    assert again.code == 0, again.err
    assert "12 networks" in again.out
    with open_store(tmp_path / "results" / "bench.db", read_only=True) as store:
        assert len(store.all_measurements()) == len(kept)  # nothing is measured twice

    bound = sorted(record.summary["median_ms"] for record in kept)[len(kept) // 2]
    (tmp_path / "quick.yaml").write_text(QUICK)
    words = ["search", "--config", "quick.yaml", "--rule", f"latency_ms <= {bound}", "--name", "bound"]
    ended = bench_here(*words, "--budget", 3, "--concurrency", 1, cwd=tmp_path)
    assert ended.code == 0, ended.err
    replayed = here("replay", "bound")
    assert replayed.code == 0, replayed.out + replayed.err
    with open_store(tmp_path / "results" / "bench.db", read_only=True) as store:
        study = store.study("bound")
        (event,) = [event for event in store.events(study.id) if event.kind == "latency_model"]
    assert "error" in event.data
