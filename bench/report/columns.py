"""A study's trials as columns of numbers that follow the store: what a page of a hundred thousand trials is made from.

The same figures as in `views.study_view`, which makes an object of each trial; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.pareto import Floats
from bench.report.figure_names import FigureName, further_names, objective_names
from bench.report.views import top_rung
from bench.store import Changes, ScoreChange, StudyRecord, TimingChange, TrialChange, latency_figure

STATUSES = ("queued", "running", "paused", "complete", "stopped", "failed")
REFERENCE = "reference:"

# Stages of a trial that keep a device busy for it.
_DEVICE_STAGES = ("train", "score", "time")
_FIRST_SIZE = 256
_NUMBERS: dict[str, tuple[str, float]] = {
    # Column -> its type and what stands there until something is known.
    "trial_id": ("int64", 0),
    "number": ("int32", 0),
    "status": ("int8", 0),
    "source": ("int16", 0),
    "rung": ("int8", -1),
    "images": ("int64", 0),
    "accuracy": ("float64", np.nan),
    "top_accuracy": ("float64", np.nan),
    "device_s": ("float64", 0.0),
    "first_s": ("float64", np.nan),
    "known_s": ("float64", np.nan),
    "changed": ("int64", 0),
}
_OF_LATENCY = ("low", "high", "ratio")


class StudyColumns:
    """The trials of one study, a row each, by number.

    Attributes:
        study: as it was when it was last looked at.
        objectives, figures: names of its figures.
        sequence: of the last event that is contained.
        last_event_at: when that happened.
        names, architecture_ids, reasons: texts by row; a name is that of a reference point, or None.
        sources, verdicts: words that the numbers of the columns stand for, in order of appearance.
    """

    def __init__(self, study: StudyRecord) -> None:
        self.study = study
        self.objectives: tuple[FigureName, ...] = objective_names(study)
        self.figures: tuple[FigureName, ...] = further_names(study)
        self.top_rung = top_rung(study.config)
        self.sequence = 0
        self.last_event_at: datetime | None = None
        self.names: list[str | None] = []
        self.architecture_ids: list[str] = []
        self.reasons: list[str | None] = []
        self.sources: dict[str, int] = {}
        self.verdicts: dict[str, int] = {}
        self._rows: dict[int, int] = {}
        self._stages: dict[str, Floats] = {}
        self._latencies = {latency_figure(runner, study.runners): runner for runner in study.runners}
        costs = [found.name for found in (*self.objectives, *self.figures) if found.name != "accuracy"]
        kinds = dict(_NUMBERS) | {f"figure {name}": ("float64", np.nan) for name in costs}
        for name in self._latencies:
            kinds |= {f"{part} {name}": ("float64", np.nan) for part in _OF_LATENCY}
            kinds[f"verdict {name}"] = ("int8", -1)
        self._empty = {name: value for name, (_, value) in kinds.items()}
        self._columns: dict[str, NDArray[Any]] = {
            name: np.full(_FIRST_SIZE, value, dtype=kind) for name, (kind, value) in kinds.items()
        }

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def maximise(self) -> tuple[bool, ...]:
        """One flag an objective, as `bench.pareto` takes them."""
        return tuple(found.maximise for found in self.objectives)

    @property
    def latencies(self) -> tuple[str, ...]:
        """Names of its latencies, in the order of its runners."""
        return tuple(self._latencies)

    @property
    def costs(self) -> tuple[str, ...]:
        """Names of all figures but accuracy."""
        return tuple(found.name for found in (*self.objectives, *self.figures) if found.name != "accuracy")

    def column(self, name: str) -> NDArray[Any]:
        """One of the columns, as long as there are trials: a view, not to be changed."""
        return self._columns[name][: len(self)]

    def figure(self, name: str) -> Floats:
        """The values of a figure, NaN where it is not known; accuracy is that at each trial's highest rung."""
        return self.column("accuracy" if name == "accuracy" else f"figure {name}")

    def points(self) -> Floats:
        """Shape (n, m): the objectives, accuracy at the top rung; NaN where one is not known, or the trial failed and
        has no accuracy therefore.
        """
        accuracy = self.column("top_accuracy").copy()
        accuracy[self.column("status") == STATUSES.index("failed")] = np.nan
        columns = [accuracy if found.name == "accuracy" else self.figure(found.name) for found in self.objectives]
        return np.column_stack(columns)

    def stage_seconds(self) -> dict[str, float]:
        """Where the time of all trials went, summed; in order of first appearance."""
        return {name: float(column[: len(self)].sum()) for name, column in self._stages.items()}

    def row_of(self, number: int) -> int | None:
        """The row of a trial's number."""
        place = int(np.searchsorted(self.column("number"), number))
        return place if place < len(self) and int(self.column("number")[place]) == number else None

    def apply(self, changes: Changes) -> NDArray[np.int64]:
        """Takes in what the store tells; gives the rows that are new or have changed, ascending."""
        self.study = changes.study
        touched = [self._take_trial(found, changes.sequence) for found in changes.trials()]
        self._take_scores(changes.scores())
        self._take_timings(changes.timings())
        self.sequence, self.last_event_at = changes.sequence, changes.last_event_at
        return np.unique(np.array(touched, dtype=np.int64))

    def _take_trial(self, found: TrialChange, sequence: int) -> int:
        row = self._rows.get(found.id)
        name = found.source.removeprefix(REFERENCE) if found.source.startswith(REFERENCE) else None
        if row is None:
            row = self._rows[found.id] = len(self._rows)
            self._grow()
            self.names.append(name)
            self.architecture_ids.append(found.architecture_id)
            self.reasons.append(None)
        else:
            for column, empty in self._empty.items():
                self._columns[column][row] = empty  # its scores and measurements come again, all of them
        columns = self._columns
        columns["trial_id"][row], columns["number"][row] = found.id, found.number
        columns["status"][row] = STATUSES.index(found.status)
        source = found.source if name is None else "reference"
        columns["source"][row] = self.sources.setdefault(source, len(self.sources))
        columns["changed"][row] = sequence
        columns["device_s"][row] = sum(float(found.stage_seconds.get(stage, 0.0)) for stage in _DEVICE_STAGES)
        for stage, seconds in found.stage_seconds.items():
            if stage not in self._stages:
                self._stages[stage] = np.zeros(len(columns["number"]))
            self._stages[stage][row] = seconds  # they are only ever added to
        for cost in self.costs:
            if cost in found.costs:
                columns[f"figure {cost}"][row] = found.costs[cost]
        self.reasons[row] = found.reason
        if found.status == "failed" and found.finished_at is not None:
            columns["first_s"][row] = self._seconds(found.finished_at)
        return row

    def _take_scores(self, scores: Iterable[ScoreChange]) -> None:
        columns = self._columns
        for found in scores:
            row = self._rows[found.trial_id]
            at = self._seconds(found.created_at)
            columns["first_s"][row] = np.fmin(columns["first_s"][row], at)
            if found.rung > columns["rung"][row]:
                columns["rung"][row], columns["accuracy"][row] = found.rung, found.accuracy
            columns["images"][row] = max(int(columns["images"][row]), found.images_seen)
            if found.rung == self.top_rung:
                columns["top_accuracy"][row] = found.accuracy
            columns["known_s"][row] = np.fmax(columns["known_s"][row], at)

    def _take_timings(self, timings: Iterable[TimingChange]) -> None:
        columns = self._columns
        by_runner = {runner: name for name, runner in self._latencies.items()}
        for found in timings:
            name = by_runner.get(found.runner)
            if name is None or not found.summary:
                continue  # of a runner that is not the study's, or nothing could be timed
            row, summary = self._rows[found.trial_id], found.summary
            # As `MeasurementRecord.latency`: comparable in its study where a study timed it.
            prefix = "comparable_" if "comparable_ms" in summary else ""
            columns[f"figure {name}"][row] = summary["comparable_ms" if prefix else "median_ms"]
            columns[f"low {name}"][row] = summary.get(f"{prefix}low_ms", np.nan)
            columns[f"high {name}"][row] = summary.get(f"{prefix}high_ms", np.nan)
            columns[f"ratio {name}"][row] = summary.get("ratio_to_reference", np.nan)
            columns[f"verdict {name}"][row] = self.verdicts.setdefault(found.verdict, len(self.verdicts))
            columns["known_s"][row] = np.fmax(columns["known_s"][row], self._seconds(found.created_at))

    def _grow(self) -> None:
        size = len(self._columns["number"])
        if len(self._rows) <= size:
            return
        for name, column in self._columns.items():
            grown = np.full(2 * size, self._empty[name], dtype=column.dtype)
            grown[:size] = column
            self._columns[name] = grown
        for name, column in self._stages.items():
            self._stages[name] = np.concatenate((column, np.zeros(size)))

    def _seconds(self, moment: datetime) -> float:
        return (moment - self.study.created_at).total_seconds()
