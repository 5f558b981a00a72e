"""A search that trains nothing, and what everything that shows it calls its score."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command import Ended

from bench import api
from bench.dashboard.question import Question
from bench.dashboard.source import Source
from bench.store import open_store

from .here import Here, bench_here

BUDGET = 4
TITLE = "zero-cost score (nothing trained; no accuracy)"


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    folder = tmp_path_factory.mktemp("zero-cost")
    words = ("search", "--space", "smoke", "--proxy", "zero-cost", "--objectives", "accuracy,macs", "--name", "looked")
    return folder, bench_here(*words, "--budget", BUDGET, "--concurrency", 1, "--json", cwd=folder)


def test_nothing_is_trained_and_every_candidate_is_scored(searched: tuple[Path, Ended]) -> None:
    folder, ended = searched
    assert ended.code == 0, ended.err
    *events, last = ended.lines
    scored = [event for event in events if event["event"] == "scored"]
    assert len(scored) == BUDGET
    assert all(0.0 <= event["zero_cost"] <= 1.0 and "accuracy" not in event for event in scored)
    assert not any(event["event"] == "training" for event in events)
    assert not list((folder / "results" / "studies").rglob("*.safetensors"))
    assert last["status"] == "complete"
    assert last["objectives"] == ["zero_cost", "macs_g"]
    assert set(last["stage_seconds"]) >= {"score"}
    assert "train" not in last["stage_seconds"]


@pytest.mark.soak
def test_the_same_search_finds_the_same(searched: tuple[Path, Ended]) -> None:
    folder, ended = searched
    again = bench_here("search", "--repeat", "looked", "--name", "again", "--json", cwd=folder)
    assert again.code == 0, again.err
    first, second = (
        [(trial["id"], trial["zero_cost"], trial["is_front"]) for trial in found.lines[-1]["trials"]]
        for found in (ended, again)
    )
    assert first == second


def test_what_is_shown_names_the_score_and_no_accuracy(searched: tuple[Path, Ended], here: Here) -> None:
    db = searched[0] / "results" / "bench.db"
    study = here("show", "looked", "--db", db).out
    assert re.search(r"^trial +zero-cost score +pictures", study, re.MULTILINE)
    assert re.search(r"\(by zero-cost score\)", study)
    assert "zero_cost 0, macs_g" in study
    trial = here("show", "looked/1", "--db", db).out
    assert re.search(r"^zero-cost score at rung 0 +0\.\d+", trial, re.MULTILINE)
    assert "accuracy" not in (study + trial).replace("no accuracy", "")


def test_so_do_frames_figures_and_the_data_for_machines(searched: tuple[Path, Ended]) -> None:
    folder, ended = searched
    found = api.load_study("looked", db=folder / "results" / "bench.db")
    assert "zero_cost" in found.trials().columns
    assert "accuracy" not in found.trials().columns
    figure = found.figure()
    assert figure.layout.yaxis.title.text == TITLE
    assert "16 pictures looked at, nothing trained" in figure.layout.title.text
    assert all("zero-cost score" in text and "accuracy" not in text for trace in figure.data[:3] for text in trace.text)
    assert all(set(trial["zero_cost"]) == {"0"} and "accuracy" not in trial for trial in ended.lines[-1]["trials"])


def test_so_does_the_dashboard(searched: tuple[Path, Ended]) -> None:
    with Source(searched[0] / "results" / "bench.db") as source:
        points = source.points(1, Question())
        study, trial, table = source.study(1), source.trial(1), "".join(source.csv(1))
    assert points is not None
    assert (points["objectives"][0]["name"], points["objectives"][0]["title"]) == ("zero_cost", TITLE)
    assert len(points["rows"]["values"]["zero_cost"]) == BUDGET
    assert "accuracy" not in points["rows"]["values"]
    assert "zero_cost" in trial["values"]
    # A difference of scores is no percentage, nor are they points of accuracy.
    assert re.match(r"Against smoke_attention: [+\N{MINUS SIGN}]0\.\d{3} zero-cost score, ", trial["nearest"]["text"])
    assert all(verdict["text"].endswith("(by zero-cost score)") for verdict in study["verdicts"])
    assert "zero_cost" in table.splitlines()[0].split(",")
    assert "accuracy" not in table.splitlines()[0].split(",")


def test_the_parts_of_the_score_are_kept(searched: tuple[Path, Ended]) -> None:
    with open_store(searched[0] / "results" / "bench.db", read_only=True) as store:
        study = store.study("looked")
        scores = store.study_scores(study.id)
        (told,) = [event.data for event in store.events(study.id) if event.kind == "zero_cost"]
    assert len(scores) == BUDGET
    for score in scores:
        assert set(score.fidelity["parts"]) == set(told) == {"naswot", "macs_g"}
        assert score.fidelity["standards"] == told
        assert score.loss == 1.0 - score.accuracy


def test_a_trial_is_exported_with_fresh_weights_and_says_so(
    searched: tuple[Path, Ended], here: Here, tmp_path: Path
) -> None:
    db = searched[0] / "results" / "bench.db"
    ended = here("export", "looked/0", "--out", tmp_path / "fresh.onnx", "--db", db)
    assert ended.code == 0, ended.err
    assert "weights: fresh, not trained" in ended.out


def test_it_can_be_replayed(searched: tuple[Path, Ended], here: Here) -> None:
    ended = here("replay", "looked", "--db", searched[0] / "results" / "bench.db")
    assert ended.out == f"{BUDGET} proposals, all the same\n", ended.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--images", 4000), "proxy.images beside proxy.kind zero-cost"),
        (("--data", "folder:nowhere"), "data.source beside proxy.kind zero-cost"),
        (("--proxy", "zero"), r"proxy.kind is 'zero'; allowed: training, zero-cost"),
    ],
)
def test_what_it_cannot_take_is_refused(here: Here, words: tuple[object, ...], message: str) -> None:
    ended = here("search", "--space", "smoke", "--proxy", "zero-cost", *words)
    assert ended.code == 1
    assert message in ended.err
    assert ended.out == ""
