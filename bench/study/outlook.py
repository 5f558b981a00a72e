"""How a study under way stands: its front and hypervolume so far, and when it will end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench import pareto
from bench.report.feasible import Limits
from bench.study.objectives import Objective, directions, values
from bench.study.plan import Candidate, Plan

if TYPE_CHECKING:
    from bench.study.remote import Remote
    from bench.study.session import Session
    from bench.study.underway import UnderWay

Point = tuple[int, tuple[float, ...]]


def snapshot(session: Session, under_way: UnderWay, remote: Remote | None) -> dict[str, Any]:
    """The state of a study as plain data, as `bench.report.live` shows it."""
    plan = session.plan
    candidates = plan.candidates
    return {
        "name": session.study.name,
        "done": sum(candidate.is_known for candidate in candidates.values()),
        "budget": session.config.budget,
        "failed": sum(candidate.is_failed for candidate in candidates.values()),
        "jobs": [
            *((number, candidates[number].target, under_way.state(number)) for number in plan.running),
            *((number, None, under_way.state(number)) for number in session.retraining.running),
        ],
        "away": [] if remote is None else remote.states(),
        "waiting": {} if remote is None else remote.waiting,
        "objectives": [objective.name for objective in session.objectives],
        "front": session.front(),
        "hypervolume": session.hypervolume(),
        "reference": dict(session.study.hypervolume_reference),
        "seconds": session.pace.seconds,
        "again": session.num_again(),
        "seconds_left": session.pace.seconds_left(plan, again=session.num_again() * session.retraining.images),
    }


def front_of(
    candidates: Mapping[int, Candidate], objectives: Sequence[Objective], *, top: int, limits: Limits
) -> list[Point]:
    """Number and objective values of the front of those that reached rung `top` and are feasible, by accuracy."""
    score = objectives[0].name
    told = {
        number: {**candidate.figures, score: candidate.accuracy[top]}
        for number, candidate in candidates.items()
        if top in candidate.accuracy and not candidate.is_failed
    }
    points = {number: values(objectives, found) for number, found in told.items() if limits.broken(found) is None}
    mask = pareto.front(list(points.values()), maximise=directions(objectives))
    return sorted(
        (item for item, is_front in zip(points.items(), mask, strict=True) if is_front),
        key=lambda item: item[1],
    )


def hypervolume_of(
    front: Sequence[Point], objectives: Sequence[Objective], reference: Mapping[str, float]
) -> float | None:
    """Of a front, against the study's reference point; None until that is stated."""
    if not reference:
        return None
    corner = [reference[objective.name] for objective in objectives]
    return pareto.hypervolume([point for _, point in front], corner, maximise=directions(objectives))


class Pace:
    """How fast pictures are trained in this run.

    Args:
        rungs: pictures seen at each rung.
        reduction: one in this many goes on.
        budget: distinct architectures.
    """

    def __init__(self, rungs: Sequence[int], *, reduction: float, budget: int) -> None:
        self.images_trained = 0
        self._rungs, self._share, self._budget = rungs, 1.0 / reduction, budget
        self._images_at_first_rung = 0
        self._began_s = time.monotonic()

    @property
    def seconds(self) -> float:
        """Of this run so far."""
        return time.monotonic() - self._began_s

    def trained(self, images: int, *, rung: int) -> None:
        """Counts pictures of a training that ended at `rung`."""
        self.images_trained += images
        self._images_at_first_rung += images if rung == 0 else 0

    def seconds_left(self, plan: Plan, *, again: float = 0.0) -> float | None:
        """First rungs to come at the pace of those done, and the promotions they bring; None while unknown.

        Args:
            again: pictures that training the front again will see.
        """
        if plan.is_done and not again:
            return 0.0
        if not self.images_trained:
            return None
        new = self._budget - sum(candidate.is_known for candidate in plan.candidates.values())
        further = sum(
            self._budget * self._share**level * (self._rungs[level] - self._rungs[level - 1])
            for level in range(1, len(self._rungs))
        )
        trained_further = self.images_trained - self._images_at_first_rung
        left = 0.0 if plan.is_done else max(0, new) * self._rungs[0] + max(0.0, further - trained_further)
        return self.seconds / self.images_trained * (left + again)
