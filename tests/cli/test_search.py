"""A real search from the command line, from its first line to what can be done with its result."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
import torch
from command import QUICK, Ended, bench, fill, started, wait_for, write_quick
from store.disks import small_disk

from bench.networks import build
from bench.networks.weights import load_weights
from bench.space import Architecture, load_space
from bench.store import open_store

from .here import Here

if TYPE_CHECKING:
    from ..conftest import RealSearch

BUDGET = 6


def result(ended: Ended) -> dict[str, Any]:
    return ended.lines[-1]


def test_it_ends_well_and_quietly(real_search: RealSearch) -> None:
    assert real_search.ended.code == 0, real_search.ended.err
    assert real_search.ended.err == ""


def test_every_line_is_json_and_tells_what_happens(real_search: RealSearch) -> None:
    *events, last = real_search.ended.lines
    kinds = [event["event"] for event in events]
    assert set(kinds) == {"study", "preparing", "timing", "started", "prepared", "measured", "scored", "finished"}
    assert kinds[0] == "study"
    assert kinds[-1] == "finished"
    assert events[-1]["progress"]["done"] == BUDGET
    assert events[-1]["progress"]["seconds_left"] == 0.0
    assert last["status"] == "complete"
    assert last["counts"].get("failed", 0) == 0


def test_the_budget_is_spent_on_distinct_networks_references_first(real_search: RealSearch) -> None:
    trials = result(real_search.ended)["trials"]
    assert len({trial["id"] for trial in trials}) == len(trials) == BUDGET
    assert [trial["source"] for trial in trials[:2]] == ["reference:smoke_repmixer", "reference:smoke_attention"]
    assert all(trial["latency"]["num_samples"] in (4, 8) for trial in trials)


def test_the_front_reached_the_top_rung(real_search: RealSearch) -> None:
    found = result(real_search.ended)
    front = [trial for trial in found["trials"] if trial["is_front"]]
    assert front
    assert all(trial["images_seen"] == 96 and trial["status"] == "complete" for trial in front)
    assert found["hypervolume"] > 0
    assert set(found["hypervolume_reference"]) == {"accuracy", "latency_ms"}


def test_the_page_is_there(real_search: RealSearch) -> None:
    text = (real_search.folder / "front.html").read_text()
    assert "Plotly.newPlot" in text
    assert not re.search(r"<script[^>]+src", text)


def test_the_store_holds_what_is_needed_to_repeat_it(real_search: RealSearch) -> None:
    with open_store(real_search.db, read_only=True) as store:
        study = store.study("real")
        trials = store.trials(study.id)
        timed = store.study_measurements(study.id)
        scores = store.study_scores(study.id)
    assert study.config["proxy"]["images"] == 96
    assert {"torch", "optuna", "ray", "onnxruntime", "bench"} <= set(study.versions)
    assert study.fingerprint
    assert study.space_hash == load_space("smoke").hash
    assert {found.trial_id for found in timed} == {trial.id for trial in trials}
    numbers = {trial.id: trial.number for trial in trials}
    for found in timed:
        assert found.resolution == 64
        # Two blocks, and their repetition where others used the CPU.
        for name in ("samples", "reference_samples", "twin_samples"):
            assert np.asarray(found.samples[name]).shape in ((1, 2, 2), (1, 4, 2))
        assert found.label == f"trial-{numbers[found.trial_id]}"
    for score in scores:
        assert score.fidelity["data"].startswith("fractals")
        assert score.fidelity["classes"] == 2
        assert score.fidelity["resolution"] == 64
        assert score.fidelity["images_seen"] == (32, 96)[score.rung]
    for trial in trials:
        assert sum(trial.stage_seconds.values()) > 0
        assert trial.proposal
        assert 0.0001 <= trial.costs["zero_cost_at_size"] <= 1.0


def copied(real_search: RealSearch, folder: Path) -> None:
    """The study's folder, for a command that is run in another."""
    shutil.copytree(real_search.folder / "results", folder / "results", dirs_exist_ok=True)


def test_a_study_of_measured_latency_can_be_replayed(here: Here, real_search: RealSearch) -> None:
    ended = here("replay", "real", "--db", real_search.db)
    assert (ended.code, ended.out) == (0, f"{BUDGET} proposals, all the same\n"), ended.err


def test_studies_are_listed(here: Here, real_search: RealSearch) -> None:
    assert re.search(r"real +complete +smoke +6 ", here("studies", "--db", real_search.db).out)
    (row,) = json.loads(here("studies", "--json", "--db", real_search.db).out)
    assert (row["name"], row["status"], row["trials"]) == ("real", "complete", BUDGET)


def test_a_study_is_shown(here: Here, real_search: RealSearch) -> None:
    text = here("show", "real", "--db", real_search.db).out
    assert "on the front of 6 tried" in text
    assert "smoke_repmixer is" in text
    assert re.search(r"bench export real/\d+ --format onnx --out best.onnx --db ", text)
    assert "train" in text
    assert re.search(r"^zero-cost score +6 +6 ", text, re.MULTILINE)
    data = json.loads(here("show", "real", "--json", "--db", real_search.db).out)
    assert data["trials"] == result(real_search.ended)["trials"]
    assert data["config"]["space"] == "smoke"


def test_a_trial_is_shown(here: Here, real_search: RealSearch) -> None:
    text = here("show", "real/0", "--db", real_search.db).out
    assert "ratio to FastViT-T8" in text
    assert "stage 4" in text
    assert "bench export real/0" in text
    data = json.loads(here("show", "real/0", "--json", "--db", real_search.db).out)
    assert len(data["measurements"]) == 1
    assert data["artifacts"][0]["details"]["opset"] == 20
    assert data["artifacts"][0]["details"]["fold_error"] <= 1e-10


def test_a_study_is_plotted(here: Here, real_search: RealSearch, tmp_path: Path) -> None:
    assert here("plot", "real", "--db", real_search.db, "--out", "again.html").out == "wrote again.html\n"
    assert "Plotly.newPlot" in (tmp_path / "again.html").read_text()


def best(real_search: RealSearch) -> int:
    return int(result(real_search.ended)["front"][0])


def outputs(path: Path, images: torch.Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    return np.asarray(found)


def test_a_trial_is_exported_with_its_trained_weights(here: Here, real_search: RealSearch, tmp_path: Path) -> None:
    copied(real_search, tmp_path)
    ended = here("export", f"real/{best(real_search)}", "--out", "best.onnx")
    assert ended.code == 0, ended.err
    assert "weights: trained in the search, 2 classes" in ended.out
    with open_store(read_only=True) as store:
        trial = store.find_trial(f"real/{best(real_search)}")
    assert trial.weights_path is not None
    network = build(Architecture.from_dict(trial.architecture), num_classes=2, seed=1)
    load_weights(network, tmp_path / "results" / "studies" / "real" / trial.weights_path)
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network.eval()(images).numpy()
    error = np.abs(outputs(tmp_path / "best.onnx", images) - expected).max() / np.abs(expected).max()
    assert error <= 1e-4


def test_a_fresh_head_is_said(here: Here, real_search: RealSearch, tmp_path: Path) -> None:
    copied(real_search, tmp_path)
    ended = here("export", f"real/{best(real_search)}", "--out", "best.onnx", "--head", 1000)
    assert "weights: trained in the search, 2 classes" in ended.out
    assert "head: fresh, 1000 classes, not trained" in ended.out
    assert outputs(tmp_path / "best.onnx", torch.rand(1, 3, 64, 64)).shape == (1, 1000)


def test_lost_weights_are_an_error(here: Here, real_search: RealSearch, tmp_path: Path) -> None:
    copied(real_search, tmp_path)
    shutil.rmtree(tmp_path / "results" / "studies")
    ended = here("export", f"real/{best(real_search)}", "--out", "best.onnx")
    assert ended.code == 1
    assert re.search(r"the weights of trial real/\d+ are not at .*; bring them back", ended.err)
    assert not (tmp_path / "best.onnx").exists()


def test_a_trial_that_was_stopped_is_exported_with_fresh_weights(
    here: Here, real_search: RealSearch, tmp_path: Path
) -> None:
    copied(real_search, tmp_path)
    trials = result(real_search.ended)["trials"]
    stopped = next(trial["number"] for trial in trials if trial["status"] == "stopped")
    ended = here("export", f"real/{stopped}", "--out", "stopped.onnx")
    assert "weights: fresh, not trained" in ended.out
    assert outputs(tmp_path / "stopped.onnx", torch.rand(1, 3, 64, 64)).shape == (1, 1000)


def test_a_reference_point_is_exported(here: Here, tmp_path: Path) -> None:
    ended = here("export", "smoke_attention", "--space", "smoke", "--out", "reference.onnx", "--head", 7)
    assert ended.code == 0, ended.err
    assert re.search(r"wrote reference.onnx: onnx, [\d.]+ MB, sha256 [0-9a-f]{64}", ended.out)
    assert "opset 20" in ended.out
    assert re.search(r"fold: proven in float64, relative error [\d.]+e-1\d", ended.out)
    assert outputs(tmp_path / "reference.onnx", torch.rand(1, 3, 64, 64)).shape == (1, 7)


def elsewhere(folder: Path) -> str:
    """Settings that keep checkpoints off the small disk on which the database lies, without the time to time."""
    return f"{QUICK}\nobjectives: [accuracy, macs]\nexecution: {{folder: {folder / 'study'}}}\n"


@pytest.mark.soak  # a session on a full disk: tests/study/test_session.py; the line that tells of one: test_refusals.py
def test_a_disk_that_fills_up_during_a_search_ends_it_in_one_line(tmp_path: Path) -> None:
    words = [
        "search",
        "--config",
        write_quick(tmp_path, elsewhere(tmp_path)),
        "--budget",
        8,
        "--concurrency",
        1,
        "--name",
        "full",
        "--json",
    ]
    with small_disk(tmp_path / "disk", num_kib=8192) as disk:
        with started(*words, "--db", disk / "bench.db", cwd=tmp_path) as process:
            wait_for(process, "scored", number=0)
            filler = fill(disk)
            _, err = process.communicate(timeout=120)
        assert process.returncode == 1
        assert "Traceback" not in err
        assert re.fullmatch(r"bench: no space left for database .*; what was stored before is safe.*\n", err), err
        filler.unlink()
        with open_store(disk / "bench.db") as store:
            study = store.study("full")
            assert study.status in ("running", "interrupted")
            assert store.scores(store.trials(study.id)[0].id)


@pytest.mark.soak
def test_a_search_of_a_full_disk_goes_on(tmp_path: Path) -> None:
    words = [
        "search",
        "--config",
        write_quick(tmp_path, elsewhere(tmp_path)),
        "--budget",
        8,
        "--concurrency",
        2,
        "--name",
        "full",
        "--json",
    ]
    with small_disk(tmp_path / "disk", num_kib=8192) as disk:
        with started(*words, "--db", disk / "bench.db", cwd=tmp_path) as process:
            wait_for(process, "scored", number=2)
            filler = fill(disk)
            process.communicate(timeout=120)
        filler.unlink()
        ended = bench("search", "--resume", "full", "--json", "--db", disk / "bench.db", cwd=tmp_path)
        assert ended.code == 0, ended.err
        assert result(ended)["status"] == "complete"
        assert len(result(ended)["trials"]) == 8
