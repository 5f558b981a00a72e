"""A study as plain data for tables, figures and frames: read from the store once, then free of it.

Accuracies of different rungs never mix: a front holds trials that were trained to the top rung only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench import pareto
from bench.report.feasible import limits_of
from bench.report.likeness import differences_in
from bench.report.retrained import Retrained, final_front, num_seeds, standing
from bench.store import (
    ACCURACY,
    BASELINES,
    MeasurementRecord,
    RetrainingRecord,
    ScoreRecord,
    Store,
    StudyRecord,
    TrialRecord,
    latency_figure,
    score_figure,
)

_REFERENCE = "reference:"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialView:
    """One trial.

    Attributes:
        number: in its study.
        trial_id: in the store.
        architecture_id: of the network.
        architecture: as a mapping.
        name: of the reference point it is, or None.
        source: who proposed it.
        status: as in the store, with `reason` where there is one.
        score_name: "accuracy", or what else the study scores its trials by.
        accuracy: top-1 (0 to 1) at each rung that it reached, or that score.
        images_seen: at the highest of them, 0 before the first.
        figures: exact costs and median latencies, by objective name.
        latencies: by objective name the summary of each measurement, with `MeasurementRecord.latency` and its verdict;
            in the order of the study's runners, without those that have not timed it.
        stage_seconds: where its time went.
        rung_seconds, images_at: of its training, what each rung took and the pictures seen by then.
        turned_down: before it was proposed, candidates that broke a rule, by the rung of the ladder.
        infeasible: the rule or constraint of the study that its figures break, or None.
        is_provisional: whether it reached the top rung, is feasible, and no other such trial dominates it.
        retrained: what came of training it again; None where it was not.
        is_front: whether it is on the study's front: the provisional one until all of that has been trained again.
    """

    number: int
    trial_id: int
    architecture_id: str
    architecture: Mapping[str, Any]
    name: str | None
    source: str
    status: str
    reason: str | None
    score_name: str
    accuracy: Mapping[int, float]
    images_seen: int
    figures: Mapping[str, float]
    latencies: Mapping[str, Mapping[str, Any]]
    stage_seconds: Mapping[str, float]
    rung_seconds: Mapping[int, float]
    images_at: Mapping[int, int]
    turned_down: Mapping[str, int]
    infeasible: str | None
    is_provisional: bool
    retrained: Retrained | None
    is_front: bool

    @property
    def rung(self) -> int | None:
        """Highest rung with a score."""
        return max(self.accuracy, default=None)

    @property
    def latency(self) -> Mapping[str, Any]:
        """Of `latencies` the one of the study's first runner that has timed it; empty where none has."""
        return next(iter(self.latencies.values()), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyView:
    """One study with its trials by number."""

    study: StudyRecord
    trials: tuple[TrialView, ...]
    objectives: tuple[str, ...]
    maximise: tuple[bool, ...]
    top_rung: int
    hypervolume: float | None
    is_final: bool
    """Whether its front has been trained again; before that it is provisional."""

    @property
    def front(self) -> tuple[TrialView, ...]:
        """Trials on the front, the cheapest first."""
        cost = self.objectives[1]
        return tuple(sorted((trial for trial in self.trials if trial.is_front), key=lambda trial: trial.figures[cost]))

    @property
    def fell_out(self) -> tuple[int, ...]:
        """Numbers of the trials of the provisional front that are not on the final one; none before it is final."""
        return tuple(trial.number for trial in self.trials if trial.is_provisional and not trial.is_front)

    @property
    def standing(self) -> str:
        """Whether the front is final, and why it is not, in words."""
        return standing(
            is_final=self.is_final,
            is_trained=self.score_name == ACCURACY,
            is_over=self.study.status == "complete",
            seeds=num_seeds(self.study.config),
            images=max((trial.retrained.images_seen for trial in self.trials if trial.retrained), default=0),
            fell_out=self.fell_out,
        )

    @property
    def is_predicted(self) -> bool:
        """Whether candidates were turned down by what a latency model says of them."""
        return "latency_ms" in "".join(line for line in self.study.space_text.splitlines() if line.startswith("rules:"))

    @property
    def latencies(self) -> tuple[str, ...]:
        """Names of the latencies that its trials may have, one for each runner."""
        runners = self.study.runners
        return tuple(latency_figure(runner, runners) for runner in runners)

    @property
    def score_name(self) -> str:
        """What the study scores its trials by."""
        return score_figure(self.objectives)

    @property
    def counts(self) -> dict[str, int]:
        """Number of trials by status."""
        found: dict[str, int] = {}
        for trial in self.trials:
            found[trial.status] = found.get(trial.status, 0) + 1
        return found


def study_view(store: Store, name: str) -> StudyView:
    """Everything shown of a study.

    Raises:
        StoreError: no study of that name; the message names the nearest.
    """
    study = store.study(name)
    objectives = tuple(study.objectives)
    maximise = tuple(direction == "maximize" for direction in study.objectives.values())
    scores: dict[int, list[ScoreRecord]] = {}
    for score in store.study_scores(study.id):
        scores.setdefault(score.trial_id, []).append(score)
    timed: dict[int | None, dict[str, MeasurementRecord]] = {}
    for found in store.study_measurements(study.id):
        if found.summary:
            timed.setdefault(found.trial_id, {})[found.runner] = found
    records = store.trials(study.id)
    top = top_rung(study.config)
    again: dict[int, list[RetrainingRecord]] = {}
    for each in store.study_retrainings(study.id):
        again.setdefault(each.trial_id, []).append(each)
    views = [
        _trial(record, scores.get(record.id, []), timed.get(record.id, {}), again.get(record.id, []), study)
        for record in records
    ]
    limits = limits_of(study.config)
    views = [replace(view, infeasible=limits.broken(_told(view, top))) for view in views]
    unknown = (math.nan,) * len(objectives)
    points = [unknown if view.infeasible else point(view, objectives, top) for view in views]
    mask = pareto.front(points, maximise=maximise)
    told = [view.retrained for view in views]
    final = final_front(
        np.array(points, dtype=np.float64).reshape(-1, len(objectives)),
        np.array([math.nan if found is None else found.mean for found in told]),
        np.array([0 if found is None else len(found.scores) + len(found.reasons) for found in told], dtype=np.int64),
        is_provisional=mask,
        seeds=num_seeds(study.config),
        maximise=maximise,
    )
    front = mask if final is None else final
    corner = [study.hypervolume_reference.get(name, math.nan) for name in objectives]
    return StudyView(
        study=study,
        trials=tuple(
            replace(view, is_provisional=bool(was), is_front=bool(on))
            for view, was, on in zip(views, mask, front, strict=True)
        ),
        objectives=objectives,
        maximise=maximise,
        top_rung=top,
        is_final=final is not None,
        hypervolume=None if math.isnan(sum(corner)) else pareto.hypervolume(points, corner, maximise=maximise),
    )


def top_rung(config: Mapping[str, Any]) -> int:
    """Number of the last rung of a study's settings."""
    return int(config["proxy"]["rungs"]) - 1


def baselines_view(store: Store, name: str) -> StudyView | None:
    """The published networks that were trained and timed as the candidates of study `name` were, if there are any."""
    return None if store.study_named(name + BASELINES) is None else study_view(store, name + BASELINES)


def baselines_differences(store: Store, name: str) -> tuple[str, ...]:
    """Why these may not be read against the study (`likeness.differences_in`); empty where they may, or are none."""
    baselines = store.study_named(name + BASELINES)
    return () if baselines is None else differences_in(store, store.study(name), baselines)


def point(trial: TrialView, objectives: tuple[str, ...], rung: int) -> tuple[float, ...]:
    """The values of a trial in the order of `objectives`, its accuracy at `rung`; NaN where it has none or failed."""
    accuracy = trial.accuracy.get(rung, math.nan) if trial.status != "failed" else math.nan
    figures = {**trial.figures, trial.score_name: accuracy}
    return tuple(figures.get(name, math.nan) for name in objectives)


def _told(trial: TrialView, rung: int) -> dict[str, float]:
    """What constraints read: figures, and the score of the top rung."""
    return {**trial.figures, trial.score_name: trial.accuracy.get(rung, math.nan)}


def stage_seconds(view: StudyView) -> dict[str, float]:
    """Where the time of all trials went, summed, in order of first appearance."""
    total: dict[str, float] = {}
    for trial in view.trials:
        for stage, seconds in trial.stage_seconds.items():
            total[stage] = total.get(stage, 0.0) + seconds
    return total


def best_trial(view: StudyView) -> TrialView | None:
    """The front's knee: farthest from the line between its ends after each objective is scaled to its range."""
    front = view.front
    if len(front) < 3:
        return front[-1] if front else None
    points = [point(trial, view.objectives, view.top_rung)[:2] for trial in front]
    (a0, c0), (a1, c1) = points[0], points[-1]
    if a1 == a0 or c1 == c0:
        return front[-1]
    gain = [(a - a0) / (a1 - a0) - (c - c0) / (c1 - c0) for a, c in points]
    return front[max(range(len(front)), key=gain.__getitem__)]


def _trial(
    record: TrialRecord,
    scores: list[ScoreRecord],
    timed: Mapping[str, MeasurementRecord],
    again: list[RetrainingRecord],
    study: StudyRecord,
) -> TrialView:
    runners = study.runners
    latencies = {
        latency_figure(runner, runners): {
            **timed[runner].summary,
            **timed[runner].latency,
            "verdict": timed[runner].verdict,
        }
        for runner in runners
        if runner in timed
    }
    figures = {name: float(value) for name, value in record.costs.items()}
    figures |= {name: float(found["ms"]) for name, found in latencies.items()}
    return TrialView(
        number=record.number,
        trial_id=record.id,
        architecture_id=record.architecture_id,
        architecture=record.architecture,
        name=record.source.removeprefix(_REFERENCE) if record.source.startswith(_REFERENCE) else None,
        source=record.source,
        status=record.status,
        reason=record.reason,
        score_name=score_figure(study.objectives),
        accuracy={score.rung: score.accuracy for score in scores},
        images_seen=max((int(score.fidelity["images_seen"]) for score in scores), default=0),
        figures=figures,
        latencies=latencies,
        stage_seconds={name: float(value) for name, value in record.stage_seconds.items()},
        rung_seconds=_by_rung({score.rung: score.seconds for score in scores}),
        images_at={score.rung: int(score.fidelity["images_seen"]) for score in scores},
        turned_down=record.proposal.get("turned_down") or {},
        infeasible=None,
        is_provisional=False,
        retrained=_retrained(again),
        is_front=False,
    )


def _by_rung(seconds: Mapping[int, float]) -> dict[int, float]:
    """What each rung took, of seconds that are counted from the beginning of the training."""
    found, before = {}, 0.0
    for rung, until in sorted(seconds.items()):
        found[rung] = max(0.0, until - before)
        before = until
    return found


def _retrained(again: list[RetrainingRecord]) -> Retrained | None:
    if not again:
        return None
    return Retrained(
        scores=tuple(found.accuracy for found in again if found.accuracy is not None),
        reasons=tuple(found.reason or "" for found in again if found.accuracy is None),
        images_seen=max(int(found.fidelity["images_seen"]) for found in again),
        seconds=sum(found.seconds for found in again),
    )
