"""Trains the front of a study again, at the highest fidelity and with fresh seeds, when its search is over; and beside
it the published networks that were tried, as far as they reached the top rung, and the pinned one as soon as it has a
score: what beats them is to be told by the same trainings.

Which trainings are due follows from the front and from what the store holds of them: a study that is killed among them
goes on with those that have no result yet. One that fails is a result, with its reason.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ConfigError
from bench.measure.artifacts import reference_architecture
from bench.report.retrained import final_front
from bench.space import Architecture
from bench.store import Reader, Store, StudyRecord
from bench.study.config import RetrainConfig, StudyConfig
from bench.study.evaluation import EvaluationJob, cache_folder
from bench.study.halving import rung_images
from bench.study.objectives import Objective, directions
from bench.study.outlook import Point
from bench.study.planned import Candidate
from bench.study.worker import WAIT

# From so many candidates on the front is trained again, and from so many with two and with three seeds: a front of
# five, at the top rung's pictures, costs about as much as 15 candidates do; published networks beside it come on top.
_SEEDS_FROM = (16, 48, 100)


def with_seeds(config: StudyConfig) -> StudyConfig:
    """The settings with a number of seeds where they leave it open: the larger the search, the more.

    A score without training is the same each time, so nothing is trained there.

    Raises:
        ConfigError: pictures for trainings that there are none of.
    """
    seeds = config.retrain.seeds
    if seeds is None:
        is_trained = config.proxy.kind == "training"
        seeds = sum(config.budget >= least for least in _SEEDS_FROM) if is_trained else 0
    if config.retrain.images is not None and not seeds:
        raise ConfigError(
            f"retrain.images is {config.retrain.images:,} and nothing is trained again in this search; "
            "add --retrain-seeds 1, or leave it out"
        )
    return replace(config, retrain=replace(config.retrain, seeds=seeds))


def to_train_again(front: Sequence[Point], candidates: Mapping[int, Candidate], *, top: int) -> set[int]:
    """Numbers of the trials that are trained again: the front and the published networks beside it; none without one.

    Args:
        candidates: all trials of the study.
        top: the highest rung.
    """
    beside = (number for number, found in candidates.items() if _is_beside(found, top))
    return {number for number, _ in front}.union(beside) if front else set()


def _is_beside(candidate: Candidate, top: int) -> bool:
    if not candidate.source.startswith("reference:") or candidate.is_failed or not candidate.accuracy:
        return False
    architecture = candidate.architecture
    return top in candidate.accuracy or architecture.id == _pinned_id(int(architecture.settings["input_resolution"]))


@cache
def _pinned_id(resolution: int) -> str:
    return reference_architecture(resolution).id


class Retraining:
    """Which trainings of the front are due, under way and done.

    Args:
        store: where results are written, and where those of earlier runs lie.
        study: its record.
        config: its settings.
    """

    def __init__(self, store: Store, study: StudyRecord, config: StudyConfig) -> None:
        retrain: RetrainConfig = config.retrain
        self._store, self._config = store, config
        self.seeds = tuple(config.seed + 1 + place for place in range(retrain.seeds or 0))
        batch = config.proxy.batch_size
        images = retrain.images or config.proxy.images
        self.images = rung_images(images, rungs=1, reduction=config.proxy.reduction, batch_size=batch)[-1]
        self._running: dict[int, int] = {}
        self._results: dict[int, dict[int, float]] = _stored(store, study)

    @property
    def running(self) -> Mapping[int, int]:
        """Seed of the training under way, by number of the trial."""
        return self._running

    def num_left(self, numbers: Collection[int]) -> int:
        """Trainings of these trials without a result."""
        return sum(len(self.seeds) - len(self._results.get(number, {})) for number in numbers)

    def begin_next(self, numbers: Collection[int]) -> tuple[int, int] | None:
        """Number and seed of the training to start now; every trial is trained with one seed before the next."""
        for seed in self.seeds:
            for number in sorted(numbers):
                if number not in self._running and seed not in self._results.get(number, {}):
                    self._running[number] = seed
                    return number, seed
        return None

    def next_job(
        self,
        numbers: Collection[int],
        *,
        architectures: Mapping[int, Architecture],
        folder: Path,
        threads: int,
        device: str,
    ) -> EvaluationJob | None:
        """The training to start now, as a worker is told; None when nothing can be started."""
        found = self.begin_next(numbers)
        if found is None:
            return None
        number, seed = found
        return EvaluationJob(
            number=number,
            architecture=architectures[number].to_dict(),
            rung=0,
            rungs=(self.images,),
            config=self._config.to_dict(),
            folder=str(folder),
            is_prepared=True,
            threads=threads,
            device=device,
            cache_folder=str(cache_folder()),
            seed=seed,
        )

    def take_in(self, number: int, trial_id: int, update: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Writes down how a training ended (`scored` or `failed`); what a listener is told of it."""
        seed = self._running[number]
        if update["kind"] == "failed":
            reason = str(update["reason"])
            fidelity = {"images_seen": self.images, "seed": seed}
            self._store.record_retraining(
                trial_id, seed=seed, accuracy=None, fidelity=fidelity, seconds=0.0, reason=reason
            )
            self._end(number, math.nan)
            return "retraining_failed", {"reason": reason}
        score = update["score"]
        self._store.record_retraining(
            trial_id, seed=seed, accuracy=score["accuracy"], fidelity=score["fidelity"], seconds=_busy(update)
        )
        seconds = dict(update["seconds"])
        self._store.add_stage_seconds(trial_id, {WAIT: seconds.pop(WAIT, 0.0), "retrain": sum(seconds.values())})
        self._end(number, float(score["accuracy"]))
        return "retrained", {"accuracy": score["accuracy"]}

    def front(self, provisional: Sequence[Point], objectives: Sequence[Objective]) -> list[Point] | None:
        """The final front with the means over seeds as scores, by these; None while not all is trained again."""
        found = [list(self._results.get(number, {}).values()) for number, _ in provisional]
        means = [_mean([score for score in scores if not math.isnan(score)]) for scores in found]
        mask = final_front(
            np.array([values for _, values in provisional], dtype=np.float64).reshape(-1, len(objectives)),
            np.array(means),
            np.array([len(scores) for scores in found], dtype=np.int64),
            is_provisional=np.ones(len(provisional), dtype=bool),
            seeds=len(self.seeds),
            maximise=directions(objectives),
        )
        if mask is None:
            return None
        points = [
            (number, values if math.isnan(mean) else (mean, *values[1:]))
            for (number, values), mean in zip(provisional, means, strict=True)
        ]
        return sorted((point for point, is_on in zip(points, mask, strict=True) if is_on), key=lambda point: point[1])

    def _end(self, number: int, score: float) -> None:
        self._results.setdefault(number, {})[self._running.pop(number)] = score


def _stored(store: Reader, study: StudyRecord) -> dict[int, dict[int, float]]:
    numbers = {trial.id: trial.number for trial in store.trials(study.id)}
    found: dict[int, dict[int, float]] = {}
    for each in store.study_retrainings(study.id):
        score = math.nan if each.accuracy is None else each.accuracy
        found.setdefault(numbers[each.trial_id], {})[each.seed] = score
    return found


def _mean(scores: Sequence[float]) -> float:
    total = 0.0
    for score in scores:  # in this order, as pages add them up
        total += score
    return total / len(scores) if scores else math.nan


def _busy(update: Mapping[str, Any]) -> float:
    return float(sum(seconds for stage, seconds in update["seconds"].items() if stage != WAIT))
