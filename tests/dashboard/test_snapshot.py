"""The exported file: everything that it says it has, small, the same each time, and nothing that runs but its own."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from made_studies import HOSTILE, add_random, add_study, add_trial
from planned_studies import write_study
from plans import Plan

from bench.dashboard.question import parse_question
from bench.dashboard.snapshot import snapshot, snapshot_page, write_snapshot
from bench.dashboard.source import Source
from bench.errors import ConfigError
from bench.store import Store

MOST_BYTES = 5_500_000


def held(page: str, name: str = "snapshot") -> str:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    packed = json.loads(found[1])
    assert packed["encoding"] == "gzip+base64"
    return gzip.decompress(base64.b64decode(packed["data"])).decode()


def test_the_file_holds_every_document_of_its_study(source: Source) -> None:
    page = snapshot_page(source, 1)
    found: dict[str, Any] = json.loads(held(page))
    assert found.keys() == {
        "format",
        "version",
        "made_at",
        "studies",
        "study",
        "points",
        "progress",
        "compare",
        "published",
        "runners",
        "trials",
        "notes",
    }
    live = source.points(1, _whole())
    assert live is not None
    for name in ("rows", "front", "counts", "hypervolume", "choices", "words", "attainment"):
        assert found["points"][name] == json.loads(json.dumps(live[name]))
    assert [study["name"] for study in found["studies"]["studies"]] == ["made"]
    assert held(page, "plotly").startswith("/**\n* plotly.js")


def _whole() -> Any:
    from bench.dashboard.question import Question

    return Question(dominated=None)


def test_samples_are_those_of_the_front_alone(store: Store, source: Source) -> None:
    other = add_study(store, "made-baselines")
    baseline = add_trial(store, other, accuracy=0.3, ms=30.0, name="mobileone_s0")
    add_trial(store, store.study("made"), accuracy=0.4, ms=25.0, name="fastvit_t12")  # dominated, and named
    found = snapshot(source, 1)
    trials = {int(trial): document for trial, document in found["trials"].items()}
    named = store.find_trial("made/7").id
    assert sorted(trials) == sorted([1, 2, 6, baseline.id, named])
    for trial, document in trials.items():
        has_samples = [measured["samples"] is not None for measured in document["measurements"]]
        assert has_samples == [trial in (1, 2, 6)]
    assert found["notes"] == [
        "details and raw samples of the front; details of reference points and baselines; of 4 further trials the "
        "figures alone"
    ]


def test_the_same_data_gives_the_same_file(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    from made_studies import MovingClock

    clock = MovingClock()
    monkeypatch.setattr(source, "_clock", lambda: clock.now)
    assert snapshot_page(source, 1) == snapshot_page(source, 1)


def test_names_cannot_leave_the_data(store: Store, source: Source) -> None:
    add_trial(store, store.study("made"), name=HOSTILE, accuracy=0.99, ms=1.0)
    page = snapshot_page(source, 1)
    assert HOSTILE not in page
    assert json.loads(held(page))["points"]["rows"]["name"][-1] == HOSTILE


def test_it_is_written_whole_or_not_at_all(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_snapshot(source, 1, path)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(ConfigError, match=r"--export .*: there is no folder .*; a file needs one; make it"):
        write_snapshot(source, 1, tmp_path / "none" / "page.html")
    assert sorted(tmp_path.glob("*.tmp")) == []


def test_many_trials_are_thinned_beyond_what_a_file_holds(
    store: Store, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = add_random(store, 70)
    monkeypatch.setattr("bench.dashboard.snapshot._MOST_ROWS", 60)
    monkeypatch.setattr("bench.dashboard.snapshot._MOST_DOMINATED", 5)
    found = snapshot(source, study.id)
    assert len(found["points"]["rows"]["number"]) < 70
    assert found["points"]["counts"]["tried"] == 70
    numbers, thinning = found["points"]["rows"]["number"], found["points"]["thinning"]
    assert thinning["text"] != ""
    assert found["points"]["counts"]["dominated"] == thinning["dominated"] > thinning["held"]
    assert found["notes"][0] == (
        f"{len(numbers)} of 70 trials are in this file: the front whole, and {thinning['held']} of "
        f"{thinning['dominated']} dominated ones, evenly over the plane; counts are of all; the database has the others"
    )


def test_nothing_is_said_of_thinning_where_nothing_is_thinned(store: Store, source: Source) -> None:
    study = add_random(store, 70)
    found = source.points(study.id, parse_question({"dominated": "all"}))
    assert found is not None
    assert (found["drawn"], found["thinning"]["text"]) == (None, "")


def test_a_front_that_is_not_told_whole_is_called_so(
    store: Store, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.dashboard.snapshot._MOST_DETAILED", 2)
    found = snapshot(source, 1)
    assert found["notes"][0].startswith("details and raw samples of the first 2 of 3 on the front; ")


@pytest.mark.slow
def test_ten_thousand_trials_make_a_file_that_can_be_mailed(tmp_path: Path) -> None:
    path = tmp_path / "large.db"
    write_study(path, Plan(num_trials=10_000, objectives=("accuracy", "latency_ms", "params_m"), top=0.9))
    with Source(path) as source:
        page = snapshot_page(source, 1)
    assert len(page.encode()) <= MOST_BYTES
    found = json.loads(held(page))
    assert len(found["points"]["rows"]["number"]) == 10_000
    assert len(found["points"]["drawn"]) < 4_000
    dominated = found["points"]["counts"]["dominated"]
    assert f"of {dominated:,} dominated trials" in found["points"]["thinning"]["text"]
