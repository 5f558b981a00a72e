"""The filter over all trials of a study: the language of the page, and the same trials."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from made_studies import add_mixed, add_random, add_trial, made_store

from bench.dashboard.filter import passing
from bench.dashboard.followed import Group
from bench.dashboard.question import Question, parse_question
from bench.dashboard.source import Source
from bench.errors import ConfigError
from bench.store import open_store

Passing = Callable[[str], list[int]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Passing:
    db = tmp_path_factory.mktemp("filter") / "bench.db"
    with made_store(db) as store:
        add_mixed(store)

    def numbers(text: str) -> list[int]:
        with open_store(db, read_only=True) as reader:
            group = Group(reader.study("made"))
            group.refresh(reader)
            return [int(row) for row in passing(group, reader, text).nonzero()[0]]

    return numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", [0, 1, 2, 3, 4, 5, 6]),
        ("latency_ms<20", [0, 3]),
        ("latency_ms <= 20", [0, 1, 3]),
        ("latency_ms=20", [1]),
        ("latency_ms!=20", [0, 2, 3, 5]),  # what is not known is neither
        ("accuracy>=.55 latency_ms<26", [1, 2, 3]),
        ("kind=early", [3]),
        ("front", [0, 1, 5]),
        ("status=failed", [4]),
        ("reason~BROKE", [4]),
        ("name~t8", [0]),
        ("t8", [0]),
        ("#5", [5]),
        ("source=reference", [0]),
        ("verdict=valid", [0, 1, 2, 3, 5]),
        ("stage1.depth>=6", [5, 6]),
        ("depth=3", [2]),
        ("number~1", [1]),
        ("macs_g~0.11", [1]),
        ("rung=1", [0, 1, 2, 5]),
    ],
)
def test_terms(found: Passing, text: str, numbers: list[int]) -> None:
    assert found(text) == numbers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latncy_ms<5", r"unknown name latncy_ms; known: accuracy, .*; did you mean 'latency_ms'\?"),
        ("latency_ms<fast", r"latency_ms<fast: fast is no number; < compares numbers; use = or ~ for words"),
    ],
)
def test_what_cannot_be_read_is_refused(found: Passing, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        found(text)


def test_a_thinned_study_holds_what_passes_and_counts_it(tmp_path: Path) -> None:
    with made_store(tmp_path / "bench.db") as store:
        study = add_random(store, 120)
        with Source(tmp_path / "bench.db") as source:
            whole = source.points(study.id, Question(dominated=None))
            few = source.points(study.id, Question(dominated=20, filter="kind=early"))
            assert whole is not None
            assert few is not None
            early = [
                n for n, kind in zip(whole["rows"]["number"], whole["rows"]["kind"], strict=True) if kind == "early"
            ]
            assert few["filtered"] == {
                "text": "kind=early",
                "error": None,
                "counts": {**dict.fromkeys(few["filtered"]["counts"], 0), "tried": len(early), "early": len(early)},
            }
            assert few["counts"] == whole["counts"]
            assert len(few["rows"]["number"]) < 120
            wrong = source.points(study.id, Question(dominated=20, filter="latncy<5"))
            assert wrong is not None
            assert wrong["filtered"]["error"].startswith("unknown name latncy; known: ")
            assert wrong["filtered"]["counts"] is None
            kept = source.points(study.id, parse_question({"dominated": "0", "keep": "3,14,1"}))
            assert kept is not None
            assert {3, 17, 18} <= set(kept["rows"]["number"])
            add_trial(store, study, accuracy=0.05, ms=34.0, rung=0, status="stopped")
            delta = source.points(study.id, parse_question({"after": few["cursor"], "filter": "kind=early"}))
            assert delta is not None
            assert not delta["is_whole"]
            assert delta["filtered"]["counts"]["early"] == len(early) + 1
