"""A study's trials as columns of numbers that follow the store: what a page of a hundred thousand trials is made from.

The same figures as in `views.study_view`, which makes an object of each trial; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.pareto import Floats
from bench.report.figure_names import FigureName, further_names, objective_names
from bench.report.views import top_rung
from bench.store import (
    Changes,
    RetrainingBlock,
    ScoreBlock,
    StudyRecord,
    TimingBlock,
    TrialBlock,
    latency_figure,
    score_figure,
)

if TYPE_CHECKING:
    from bench.store.blocks import Moments

STATUSES = ("queued", "running", "paused", "complete", "stopped", "failed")
_CODES = {name: code for code, name in enumerate(STATUSES)}
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
    "retrained": ("int16", 0),
    "retrained_well": ("int16", 0),
    "retrained_sum": ("float64", 0.0),
    "retrained_images": ("int64", 0),
}
_OF_LATENCY = ("low", "high", "ratio")


class StudyColumns:
    """The trials of one study, a row each, by number.

    Attributes:
        study: as it was when it was last looked at.
        objectives, figures: names of its figures.
        score: name of what it scores its trials by; the columns call it accuracy.
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
        self._num_rows = 0
        self._stages: dict[str, Floats] = {}
        self._latencies = {latency_figure(runner, study.runners): runner for runner in study.runners}
        self.score = score_figure(study.objectives)
        costs = [found.name for found in (*self.objectives, *self.figures) if found.name != self.score]
        kinds = dict(_NUMBERS) | {f"figure {name}": ("float64", np.nan) for name in costs}
        for name in self._latencies:
            kinds |= {f"{part} {name}": ("float64", np.nan) for part in _OF_LATENCY}
            kinds[f"verdict {name}"] = ("int8", -1)
        self._empty = {name: value for name, (_, value) in kinds.items()}
        self._columns: dict[str, NDArray[Any]] = {
            name: np.full(_FIRST_SIZE, value, dtype=kind) for name, (kind, value) in kinds.items()
        }

    def __len__(self) -> int:
        return self._num_rows

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
        """Names of all figures but the score."""
        return tuple(found.name for found in (*self.objectives, *self.figures) if found.name != self.score)

    def column(self, name: str) -> NDArray[Any]:
        """One of the columns, as long as there are trials: a view, not to be changed."""
        return self._columns[name][: len(self)]

    def figure(self, name: str) -> Floats:
        """The values of a figure, NaN where it is not known; the score is that at each trial's highest rung."""
        return self.column("accuracy" if name == self.score else f"figure {name}")

    def retrained_means(self) -> Floats:
        """Scores of the trials that were trained again, mean over the seeds that succeeded; NaN where there is none."""
        num = self.column("retrained_well")
        means: Floats = np.where(num > 0, self.column("retrained_sum") / np.maximum(num, 1), np.nan)
        return means

    def points(self) -> Floats:
        """Shape (n, m): the objectives, the score at the top rung; NaN where one is not known, or the trial failed and
        has no score therefore.
        """
        accuracy = self.column("top_accuracy").copy()
        accuracy[self.column("status") == STATUSES.index("failed")] = np.nan
        columns = [accuracy if found.name == self.score else self.figure(found.name) for found in self.objectives]
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
        touched = [self._take_trials(found, changes.sequence) for found in changes.trials()]
        for scores in changes.scores():
            self._take_scores(scores)
        for again in changes.retrainings():
            self._take_retrainings(again)
        for timings in changes.timings():
            self._take_timings(timings)
        self.sequence, self.last_event_at = changes.sequence, changes.last_event_at
        return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *touched]))

    def _take_trials(self, found: TrialBlock, sequence: int) -> NDArray[np.int64]:
        rows = self._begin(found.id)
        columns = self._columns
        columns["number"][rows] = found.number
        columns["status"][rows] = [_CODES[status] for status in found.status]
        columns["changed"][rows] = sequence
        for row, architecture_id, source, reason in zip(
            rows.tolist(), found.architecture_id, found.source, found.reason, strict=True
        ):
            name = source.removeprefix(REFERENCE) if source.startswith(REFERENCE) else None
            self.architecture_ids[row], self.names[row], self.reasons[row] = architecture_id, name, reason
            word = source if name is None else "reference"
            columns["source"][row] = self.sources.setdefault(word, len(self.sources))
        for stage in dict.fromkeys(name for seconds in found.stage_seconds for name in seconds):
            if stage not in self._stages:
                self._stages[stage] = np.zeros(len(columns["number"]))
            spent = [float(seconds.get(stage, 0.0)) for seconds in found.stage_seconds]
            self._stages[stage][rows] = spent
            if stage in _DEVICE_STAGES:
                columns["device_s"][rows] += spent
        for cost in self.costs:
            columns[f"figure {cost}"][rows] = [costs.get(cost, np.nan) for costs in found.costs]
        has_failed = columns["status"][rows] == _CODES["failed"]
        columns["first_s"][rows[has_failed]] = self._seconds(found.finished_at[has_failed])
        return rows

    def _take_scores(self, found: ScoreBlock) -> None:
        columns = self._columns
        rows = self._rows_of(found.trial_id)
        rungs, accuracies, seconds = np.array(found.rung), np.array(found.accuracy), self._seconds(found.created_at)
        np.fmin.at(columns["first_s"], rows, seconds)
        np.fmax.at(columns["known_s"], rows, seconds)
        np.maximum.at(columns["images"], rows, found.images_seen)
        is_top = rungs == self.top_rung
        columns["top_accuracy"][rows[is_top]] = accuracies[is_top]
        # Of several of one trial the highest is the last that is written.
        ascending = np.argsort(rungs, kind="stable")
        is_higher = rungs[ascending] > columns["rung"][rows[ascending]]
        places = ascending[is_higher]
        columns["rung"][rows[places]], columns["accuracy"][rows[places]] = rungs[places], accuracies[places]

    def _take_retrainings(self, found: RetrainingBlock) -> None:
        rows, columns = self._rows_of(found.trial_id), self._columns
        scores = np.array([np.nan if score is None else score for score in found.accuracy])
        is_well = ~np.isnan(scores)
        np.add.at(columns["retrained"], rows, 1)
        np.maximum.at(columns["retrained_images"], rows, found.images_seen)
        np.add.at(columns["retrained_well"], rows[is_well], 1)
        np.add.at(columns["retrained_sum"], rows[is_well], scores[is_well])

    def _take_timings(self, found: TimingBlock) -> None:
        rows, seconds, runners = self._rows_of(found.trial_id), self._seconds(found.created_at), np.array(found.runner)
        figures, columns = found.figures, self._columns
        # As `MeasurementRecord.latency`: comparable in its study where a study timed it.
        is_comparable = ~np.isnan(figures["comparable_ms"])
        value = np.where(is_comparable, figures["comparable_ms"], figures["median_ms"])
        low, high = (
            np.where(is_comparable, figures[f"comparable_{end}_ms"], figures[f"{end}_ms"]) for end in ("low", "high")
        )
        for name, runner in self._latencies.items():
            # A summary is empty where nothing could be timed.
            places = np.flatnonzero((runners == runner) & ~np.isnan(value))
            at = rows[places]
            columns[f"figure {name}"][at] = value[places]
            columns[f"ratio {name}"][at] = figures["ratio_to_reference"][places]
            columns[f"low {name}"][at], columns[f"high {name}"][at] = low[places], high[places]
            verdicts = [self.verdicts.setdefault(found.verdict[place], len(self.verdicts)) for place in places.tolist()]
            columns[f"verdict {name}"][at] = verdicts
            np.fmax.at(columns["known_s"], at, seconds[places])

    def _begin(self, trial_ids: Sequence[int]) -> NDArray[np.int64]:
        """The rows of trials, new ones behind all others, with nothing in them that was known before."""
        ids = np.array(trial_ids, dtype=np.int64)
        # A study's trials get their ids in the order of their numbers, so that rows are in the order of both.
        known = self.column("trial_id")
        places = np.searchsorted(known, ids)
        is_known = places < len(known)
        is_known[is_known] = known[places[is_known]] == ids[is_known]
        new = np.sort(ids[~is_known])
        first = len(self)
        self._num_rows += len(new)
        self.names += [None] * len(new)
        self.reasons += [None] * len(new)
        self.architecture_ids += [""] * len(new)
        while len(self._columns["number"]) < len(self):
            self._grow()
        self._columns["trial_id"][first : len(self)] = new
        rows = self._rows_of(trial_ids)
        for column, empty in self._empty.items():
            if column != "trial_id":
                self._columns[column][rows] = empty  # their scores and measurements come again, all of them
        return rows

    def _rows_of(self, trial_ids: Sequence[int]) -> NDArray[np.int64]:
        return np.searchsorted(self.column("trial_id"), np.array(trial_ids, dtype=np.int64))

    def _grow(self) -> None:
        size = len(self._columns["number"])
        for name, column in self._columns.items():
            grown = np.full(2 * size, self._empty[name], dtype=column.dtype)
            grown[:size] = column
            self._columns[name] = grown
        for name, column in self._stages.items():
            self._stages[name] = np.concatenate((column, np.zeros(size)))

    def _seconds(self, moments: Moments) -> Floats:
        """Since the study began; NaN where there is no time."""
        begin = np.datetime64(self.study.created_at.astimezone(UTC).replace(tzinfo=None), "us")
        return (moments - begin) / np.timedelta64(1, "s")
