"""The ladder of a search: each rung costs more than the one below and sees fewer candidates.

Static limits, predicted latency, a zero-cost score where a constraint bounds it, measured latency, short trainings that
get longer, and the front trained again with published networks beside it. What
each rung let through, and what that cost, is read from stored trials: a study that was killed and taken up again, or is
looked at years later, says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.report.feasible import limits_of
from bench.report.figure_names import ZERO_COST_AT_SIZE, figure_name
from bench.report.views import StudyView, TrialView
from bench.store import ACCURACY, is_latency

# As `bench.study.proposer` counts what it turned down, and `bench.study` names its stages.
STATIC, PREDICTED = "static limits", "predicted latency"
_PROPOSING = ("propose",)
_TRAINING = ("train", "score", "build to train", "keep weights", "retrain")
_ZERO_COST = "zero-cost score"
# Waiting for others, starting workers and moving data is nobody's cost.
_NOT_COUNTED = ("elsewhere", "wait for the CPU")


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderRung:
    """One rung.

    Attributes:
        name: in words.
        came: candidates that it looked at.
        passed: those that it let through; of the last one these are the front.
        seconds: that it took, summed over workers.
    """

    name: str
    came: int
    passed: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        return asdict(self)


def ladder_of(view: StudyView) -> tuple[LadderRung, ...]:
    """The rungs of a study, the cheapest first; of one under way as far as it has come."""
    return (*_before_training(view), *_trainings(view), *_again(view))


def _before_training(view: StudyView) -> list[LadderRung]:
    trials = view.trials
    turned_down = {name: sum(int(trial.turned_down.get(name, 0)) for trial in trials) for name in (STATIC, PREDICTED)}
    left = len(trials) + turned_down[PREDICTED]
    rungs = [
        LadderRung(
            name=STATIC,
            came=left + turned_down[STATIC],
            passed=left,
            seconds=_spent(trials, of=_PROPOSING),
        )
    ]
    if view.is_predicted:
        rungs.append(LadderRung(name=PREDICTED, came=left, passed=len(trials), seconds=0.0))
    came = len(trials)
    if bounds := [found for found in limits_of(view.study.config).constraints if found.figure == ZERO_COST_AT_SIZE]:
        untrained = [trial for trial in trials if not trial.accuracy]
        low = sum(any(found.excess(trial.figures) > 0.0 for found in bounds) for trial in untrained)
        seconds = _spent(trials, of=(_ZERO_COST,))
        rungs.append(LadderRung(name=_ZERO_COST, came=came, passed=came - low, seconds=seconds))
        came -= low
    is_timed = any(is_latency(name) for name in view.objectives)
    passed = sum(bool(trial.accuracy) or _is_waiting(trial, is_timed=is_timed) for trial in trials)
    seconds = _spent(trials, but=(*_PROPOSING, *_TRAINING, *_NOT_COUNTED, _ZERO_COST))
    name = "measured latency" if is_timed else "built and exported"
    return [*rungs, LadderRung(name=name, came=came, passed=passed, seconds=seconds)]


def _trainings(view: StudyView) -> list[LadderRung]:
    rungs = []
    for rung in range(view.top_rung + 1):
        came = [trial for trial in view.trials if rung in trial.accuracy]
        is_top = rung == view.top_rung
        passed = sum(trial.is_provisional if is_top else rung + 1 in trial.accuracy for trial in came)
        images = max((trial.images_at[rung] for trial in came), default=0)
        kind = "training" if view.score_name == ACCURACY else figure_name(view.score_name).short
        seconds = sum(trial.rung_seconds[rung] for trial in came)
        rungs.append(LadderRung(name=_name(kind, images), came=len(came), passed=passed, seconds=seconds))
    return rungs


def _again(view: StudyView) -> list[LadderRung]:
    found = [trial.retrained for trial in view.trials if trial.retrained is not None]
    if not found:
        return []
    passed = len(view.front) if view.is_final else 0
    name = _name("trained again", max(each.images_seen for each in found))
    return [LadderRung(name=name, came=len(found), passed=passed, seconds=sum(each.seconds for each in found))]


def _name(kind: str, images: int) -> str:
    return f"{kind}, {images:,} pictures" if images else kind


def _is_waiting(trial: TrialView, *, is_timed: bool) -> bool:
    """Timed, or where nothing is timed exported, and on the way to its first score."""
    is_known = bool(trial.latencies) if is_timed else "artifact_mb" in trial.figures
    return is_known and trial.status in ("queued", "running")


def _spent(trials: Iterable[TrialView], *, of: tuple[str, ...] | None = None, but: tuple[str, ...] = ()) -> float:
    stages: Iterable[Mapping[str, float]] = (trial.stage_seconds for trial in trials)
    return sum(
        seconds
        for found in stages
        for stage, seconds in found.items()
        if (of is None or stage in of) and stage not in but
    )
