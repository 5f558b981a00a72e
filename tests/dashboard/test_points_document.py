"""What a page is told of a study: whole once, then what changed, and what was held before always stays right."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_studies import add_final, add_mixed, add_random, add_retrainings, add_study, add_timing, add_trial, made_store

from bench.api import load_study
from bench.dashboard.question import MOST_DOMINATED, Question, parse_question
from bench.dashboard.source import Source
from bench.report.views import study_view
from bench.store import Store

from .following import Page

_KINDS = ("front", "dominated", "early", "incomplete", "failed")


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Store]:
    with made_store(tmp_path / "bench.db") as opened:
        yield opened


def test_what_was_followed_is_what_is_there(made: Store, tmp_path: Path) -> None:
    """After each of many random changes the page that polled holds what a page that has just been opened gets."""
    die = random.Random(0)
    study = add_study(made, budget=60)
    with Source(tmp_path / "bench.db") as source:
        page = Page(source, study.id)
        page.poll()
        for step in range(40):
            trials = made.trials(study.id)
            if trials and die.random() < 0.2:
                add_timing(made, die.choice(trials), ms=die.uniform(5, 35), verdict=die.choice(["noisy", "valid"]))
            elif die.random() < 0.2:
                add_trial(made, study, status="failed", accuracy=None, ms=None, reason="it broke")
            else:
                add_trial(
                    made, study, accuracy=round(die.random(), 3), ms=die.uniform(5, 35), rung=die.choice([0, 1, 1])
                )
            if step == 20:
                add_mixed(made, "made-baselines")
            if die.random() < 0.7:
                assert page.poll()
        page.poll()
        assert not page.poll()
        with Source(tmp_path / "bench.db") as fresh_source:
            fresh = Page(fresh_source, study.id)
            fresh.poll()
        assert page.spelled() == fresh.spelled()
        told_anew = ("cursor", "is_whole", "rows", "time", "idle_seconds", "pace", "thinning")
        of_two = ("choices", "words", "baselines")  # in the order in which they came
        for name, value in fresh.held.items():
            if name not in (*told_anew, *of_two):
                assert page.held[name] == value, name
        for name in ("front", "hypervolume", "milestones"):
            assert page.held["baselines"][name] == fresh.held["baselines"][name], name


def test_the_page_has_the_numbers_of_the_frame(source: Source, db: Path) -> None:
    page = Page(source, 1)
    page.poll()
    frame = load_study("made", db=db).trials().set_index("number")
    assert page.held["front"] == [0, 1, 5]
    for number, row in page.spelled().items():
        wanted = frame.loc[number]
        assert row["status"] == wanted["status"]
        assert row["kind"] in _KINDS
        assert (row["kind"] == "front") == wanted["is_front"]
        for name in ("accuracy", "latency_ms", "params_m", "macs_g", "artifact_mb"):
            value = row["values"][name]
            assert (value is None) == bool(wanted.isna()[name])
            assert value is None or value == pytest.approx(wanted[name], rel=1e-6)
        for end in ("low", "high"):
            value = row[end]["latency_ms"]
            assert value is None or value == pytest.approx(wanted[f"latency_{end}_ms"], rel=1e-6)


def test_a_hundred_new_trials_are_a_small_answer(made: Store, tmp_path: Path) -> None:
    study = add_random(made, 20)
    with Source(tmp_path / "bench.db") as source:
        page = Page(source, study.id)
        page.poll()
        for _ in range(100):
            add_trial(made, study, accuracy=0.2, ms=30.0)
        page.poll()
    assert len(page.held["rows"]["number"]) == 100
    assert page.sizes[-1] < 20_000


def test_baselines_come_when_they_come(made: Store, tmp_path: Path) -> None:
    study = add_mixed(made)
    with Source(tmp_path / "bench.db") as source:
        page = Page(source, study.id)
        page.poll()
        assert page.held["baselines"] is None
        assert page.held["study"]["baselines"] is None
        other = add_study(made, "made-baselines", budget=1)
        add_trial(made, other, accuracy=0.55, ms=8.0, name="mobileone_s0")
        assert page.poll()
        found = page.held["baselines"]
        assert page.held["study"]["baselines"] == other.id
        of_baselines = Page(source, other.id)
        of_baselines.poll()
        assert (of_baselines.held["study"]["baselines_of"], page.held["study"]["baselines_of"]) == (study.id, None)
        assert (found["is_comparable"], found["differences"], found["front"]) == (True, [], [0])
        assert found["rows"]["name"] == ["mobileone_s0"]
        assert found["hypervolume"] == pytest.approx(0.55 * 32, rel=1e-6)
        # 15 and 17 came before it reached 17.6 with the last.
        assert found["milestones"][0]["reached"]["number"] == 5
        add_trial(made, other, accuracy=0.95, ms=4.0, name="mobileone_s1")
        assert page.poll()
        assert page.held["rows"]["number"] == []
        assert page.held["baselines"]["rows"]["number"] == [0, 1]  # the first left their front
        assert page.held["baselines"]["milestones"][0]["reached"] is None
        add_trial(made, study, accuracy=0.97, ms=3.0)  # what the search does moves what it has passed
        assert page.poll()
        assert page.held["baselines"]["rows"]["number"] == []
        assert page.held["baselines"]["milestones"][0]["reached"]["number"] == 7


def test_baselines_of_another_machine_are_told_apart(made: Store, tmp_path: Path) -> None:
    study = add_mixed(made)
    add_mixed(made, "made-baselines", fingerprint={"machine": {"cpu": "another"}})
    with Source(tmp_path / "bench.db") as source:
        found = source.points(study.id, Question())
    assert found is not None
    assert not found["baselines"]["is_comparable"]
    assert "machine.cpu: 'a made CPU' and 'another'" in found["baselines"]["differences"]
    assert found["baselines"]["milestones"] == []


def test_what_is_thinned_is_stated(made: Store, tmp_path: Path) -> None:
    study = add_random(made, 100)
    with Source(tmp_path / "bench.db") as source:
        few = source.points(study.id, Question(dominated=10))
        every = source.points(study.id, Question(dominated=None))
        zoomed = source.points(study.id, Question(dominated=1, window=(5.0, 20.0, None, None)))
    assert few is not None
    assert every is not None
    assert zoomed is not None
    assert few["thinning"]["text"].startswith("front complete; ")
    assert len(few["rows"]["number"]) < 100
    assert set(few["front"]) <= set(few["rows"]["number"])
    assert (len(every["rows"]["number"]), every["drawn"], every["thinning"]["text"]) == (100, None, "")
    assert re.search(
        r"of \d+ dominated trials( and .*)? in view shown, evenly over the plane", zoomed["thinning"]["text"]
    )
    assert MOST_DOMINATED == 3000


def test_an_old_cursor_of_another_server_gives_everything(source: Source) -> None:
    answer = source.points(1, parse_question({"after": "00000000-3.-.1.none"}))
    assert answer is not None
    assert answer["is_whole"]


@pytest.mark.parametrize("objectives", [("accuracy", "macs"), ("accuracy", "latency", "params", "macs", "artifact")])
def test_two_and_five_objectives(made: Store, tmp_path: Path, objectives: tuple[str, ...]) -> None:
    study = add_random(made, 15, objectives=objectives)
    with Source(tmp_path / "bench.db") as source:
        found = source.points(study.id, Question())
    assert found is not None
    num = len(objectives)
    assert len(found["objectives"]) == num
    assert len(found["attainment"]) == num * (num - 1) // 2
    names = [each["name"] for each in (*found["objectives"], *found["figures"])]
    assert sorted(names) == sorted(found["rows"]["values"])


def test_a_study_without_trials_has_every_key(made: Store, tmp_path: Path) -> None:
    study = add_study(made, corner={})
    with Source(tmp_path / "bench.db") as source:
        found = source.points(study.id, Question())
        assert source.study(study.id)["best"] is None
        assert source.strategies(study.id)["strategies"] == []
        assert source.compare(study.id, None)["stand_ins"] == []
    assert found is not None
    assert found["rows"]["number"] == found["front"] == found["choices"] == []
    assert found["hypervolume"] is None
    assert found["counts"]["tried"] == 0
    json.dumps(found, allow_nan=False)


def test_figures_that_are_not_finite_are_null(made: Store, tmp_path: Path) -> None:
    study = add_study(made)
    trial = add_trial(made, study, accuracy=None, status="running")
    made.record_costs(trial.id, {"params_m": 1e300, "macs_g": -0.0})
    with Source(tmp_path / "bench.db") as source:
        found = source.points(study.id, Question())
    assert found is not None
    text = json.dumps(found, allow_nan=False)
    assert "NaN" not in text
    assert found["rows"]["values"]["accuracy"] == [None]
    assert found["rows"]["values"]["params_m"] == [1e300]


def test_a_front_is_told_as_provisional_or_final_with_who_fell_out(made: Store, tmp_path: Path) -> None:
    study = add_mixed(made, retrain={"seeds": 2})
    final = add_final(made)
    with Source(tmp_path / "bench.db") as source:
        page = Page(source, study.id)
        page.poll()
        assert (page.held["is_final"], page.held["fell_out"]) == (False, [])
        assert page.held["standing"] == "provisional front: not yet trained again with 2 fresh seeds"
        for trial in made.trials(study.id):
            if trial.number in page.held["front"]:
                add_retrainings(made, trial, {0: 0.5, 1: 0.65, 5: 0.6}[trial.number])
        assert page.poll()
        found = source.points(final.id, Question())
        notes = {trial.number: source.trial(trial.id)["note"] for trial in made.trials(final.id)}
    assert found is not None
    for told in (page.held, found):
        assert (told["is_final"], told["front"], told["fell_out"]) == (True, [0, 1], [5])
        assert told["standing"] == study_view(made, "final").standing
    assert page.rows[5]["kind"] == "dominated"
    assert {number for number, note in notes.items() if note} == {5}
    assert notes[5] == "fell out when trained again"
