"""Reading: trials by name, and errors that name what there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from bench.errors import StoreError
from bench.store import Store, StudyRecord, TrialRecord, open_store, records, tables

from .examples import add_score, add_study, add_trial


@pytest.mark.parametrize("kind", ["Study", "Trial", "Score", "Artifact", "Measurement", "Event"])
def test_record_holds_every_column_of_its_table(kind: str) -> None:
    columns = set(getattr(tables, f"{kind}Row").__table__.columns.keys())
    names = {field.name for field in fields(getattr(records, f"{kind}Record"))}
    assert names - {"study_name"} == columns


@pytest.mark.parametrize("text", ["first/0", "1"])
def test_trial_is_found_by_name_and_by_id(store: Store, trial: TrialRecord, text: str) -> None:
    assert store.find_trial(text) == trial


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "first/7",
            r"study 'first' has no trial 7; its numbers are 0 to 0; list them with: bench show first",
        ),
        ("frist/0", r"no study 'frist'; known studies: first; did you mean 'first'\?"),
        ("other-study/0", r"no study 'other-study'; known studies: first; list them with: bench studies"),
        ("99", r"no trial with id 99; known studies: first; name a trial as STUDY/NUMBER"),
        ("9" * 30, r"names no trial"),
        ("first", r"'first' names no trial; allowed: STUDY/NUMBER or an id"),
        ("first/x", r"'first/x' names no trial"),
        ("/0", r"'/0' names no trial"),
        ("", r"'' names no trial"),
    ],
)
def test_unknown_trial_names_what_there_is(store: Store, trial: TrialRecord, text: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        store.find_trial(text)


def test_study_without_trials_says_so(store: Store, study: StudyRecord) -> None:
    with pytest.raises(StoreError, match="study 'first' has no trial 0; it has none yet"):
        store.find_trial("first/0")


def test_empty_database_says_so(store: Store) -> None:
    with pytest.raises(StoreError, match="no study 'first'; the database has no studies yet"):
        store.study("first")


def test_long_list_of_studies_is_cut(store: Store) -> None:
    for number in range(12):
        add_study(store, f"study{number}")
    with pytest.raises(StoreError, match=r"known studies: study11, .*, study2 and 2 older"):
        store.study("other")


READERS: dict[str, Callable[[Store], object]] = {
    "trial": lambda store: store.trial(99),
    "scores": lambda store: store.scores(99),
    "artifacts": lambda store: store.artifacts(99),
    "measurements": lambda store: store.measurements(99),
    "trials": lambda store: store.trials(99),
    "events": lambda store: store.events(99),
    "study_scores": lambda store: store.study_scores(99),
    "study_measurements": lambda store: store.study_measurements(99),
    "next_trial_number": lambda store: store.next_trial_number(99),
    "architecture_ids": lambda store: store.architecture_ids(99),
}


@pytest.mark.parametrize("name", READERS)
def test_unknown_id_is_an_error_not_an_empty_answer(store: Store, trial: TrialRecord, name: str) -> None:
    with pytest.raises(StoreError, match=r"no (study|trial) with id 99; known studies: first"):
        READERS[name](store)


def test_scores_of_a_study_come_by_number_and_rung(store: Store, study: StudyRecord) -> None:
    trials = [add_trial(store, study, architecture) for architecture in ("a", "b")]
    for trial, rung in ((trials[1], 0), (trials[0], 0), (trials[1], 1), (trials[0], 1)):
        add_score(store, trial, rung)
    found = [(score.trial_id, score.rung) for score in store.study_scores(study.id)]
    assert found == [(trials[0].id, 0), (trials[0].id, 1), (trials[1].id, 0), (trials[1].id, 1)]


def test_reader_is_not_held_up_by_a_writer(store: Store, study: StudyRecord, tmp_path: Path) -> None:
    with open_store(tmp_path / "bench.db", read_only=True, timeout_s=0.05) as reader, store._writing():
        assert reader.study("first") == study


def test_store_opened_for_reading_refuses_to_write(store: Store, study: StudyRecord, tmp_path: Path) -> None:
    with open_store(tmp_path / "bench.db", read_only=True) as reader:
        with pytest.raises(StoreError, match=r"was opened for reading; .*open it again without read_only"):
            add_trial(reader, study)
        assert reader.trials(study.id) == ()
