"""Blocks of rows hold what the records hold, on both kinds of database."""

from __future__ import annotations

import math
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest

from bench.store import Store, TimingBlock, blocks, open_store

from .examples import add_measurement, add_score, add_study, add_trial, ticking_clock


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    url = str(tmp_path / "bench.db") if request.param == "sqlite" else request.getfixturevalue("url")
    return open_store(url, clock=ticking_clock())


def test_blocks_hold_what_the_records_hold(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_ROWS", 2)
    with store:
        study, other = add_study(store), add_study(store, "other")
        for number in range(5):
            trial = add_trial(store, study, f"a{number}")
            add_trial(store, other, f"b{number}")
            store.start_trial(trial.id)
            store.record_costs(trial.id, {"macs_g": number / 3, "name": 'comma, "quote" and ü'})
            store.add_stage_seconds(trial.id, {"train": 2.5})
            add_score(store, trial)
            add_measurement(store, trial)
            if number % 2:
                store.set_trial_status(trial.id, "failed", reason="it, or [that]")
        with store.changes(study.id) as changes:
            trials, scores, timings = list(changes.trials()), list(changes.scores()), list(changes.timings())
        assert [len(found.id) for found in trials] == [2, 2, 1]
        records = [store.find_trial(f"first/{number}") for number in range(5)]
        for name in ("id", "number", "architecture_id", "source", "status", "reason", "costs", "stage_seconds"):
            told = [value for found in trials for value in getattr(found, name)]
            assert told == [getattr(record, name) for record in records], name
        ends = np.concatenate([found.finished_at for found in trials])
        assert [None if np.isnat(end) else end.item().replace(tzinfo=UTC) for end in ends] == [
            record.finished_at for record in records
        ]
        assert sum(len(found.trial_id) for found in scores) == 5
        measured = [row for record in records for row in store.measurements(record.id)]
        for name in TimingBlock.FIGURES:
            told = [value for found in timings for value in found.figures[name].tolist()]
            assert told == pytest.approx([row.summary.get(name, math.nan) for row in measured], nan_ok=True), name
        assert timings[0].figures["median_ms"][0] == 12.5
        moments = np.concatenate([found.created_at for found in timings])
        assert [moment.item().replace(tzinfo=UTC) for moment in moments] == [row.created_at for row in measured]
