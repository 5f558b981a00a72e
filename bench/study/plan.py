"""What a study does next, as a state machine without clocks, processes or a database.

`next_job` answers with a job, or with None when nothing can be started now; the results come back through `figures`,
`timed`, `turned_away`, `scored` and `failed`. Whoever runs the jobs and writes them down (`runner.py`) asks again after
each. The same plan is rebuilt from the store when a study is resumed or replayed.

Where latency is an objective, candidates are timed a few at a time before their training (bench/study/timing.py), one
such batch at a time; where a constraint bounds what can be known before it, they are prepared in the same way. Batches
are aligned by number, so that a study taken up again makes those that it would have made. What registered runners time
is only prepared as a job; until its latencies arrive it is away and takes no place, and no more than two batches are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.errors import SearchError
from bench.space import Architecture
from bench.store import is_latency
from bench.study.constraints import Demands
from bench.study.objectives import Objective, directions, values
from bench.study.planned import Candidate, PlannedJob, PlannedTiming, PlannedTraining
from bench.study.proposer import Proposal, Proposer, SpaceExhausted, told_values
from bench.study.standing import Standing

__all__ = ["Candidate", "Plan", "PlannedJob", "PlannedTiming", "PlannedTraining"]


# Of batches whose latencies are measured elsewhere: one is timed, and the next waits there, so that no runner idles.
_MOST_AWAY = 2


class Plan:
    """The order of work of one study.

    Args:
        proposer: who proposes.
        objectives: the score first.
        rungs: pictures seen at each rung.
        reduction: one in this many goes on.
        budget: distinct architectures.
        concurrency: jobs at a time.
        references: tried first, by name.
        max_failures: failures in a row that end the study.
        timing_batch: candidates that are prepared and timed together before their training; None: nothing of them has
            to be known before it.
        demands: constraints; who breaks one goes no further.
    """

    def __init__(
        self,
        proposer: Proposer,
        objectives: Sequence[Objective],
        *,
        rungs: Sequence[int],
        reduction: float,
        budget: int,
        concurrency: int,
        references: Mapping[str, Architecture],
        max_failures: int,
        timing_batch: int | None,
        demands: Demands | None = None,
    ) -> None:
        self.candidates: dict[int, Candidate] = {}
        self.stop_reason: str | None = None
        self._proposer, self._objectives = proposer, tuple(objectives)
        self._score = self._objectives[0].name
        self._demands = demands or Demands()
        self._budget, self._concurrency = budget, concurrency
        self._references = [(f"reference:{name}", architecture) for name, architecture in references.items()]
        self._max_failures, self._failures = max_failures, 0
        self._timing_batch = timing_batch
        latencies = {objective.name for objective in objectives if is_latency(objective.name)}
        self._is_timed = bool(latencies)
        # What has to be known before a training begins.
        self._needed = latencies | self._demands.figures
        self._timing: set[int] = set()
        self._restarts: list[int] = []
        self._standing = Standing(rungs, maximise=directions(objectives), reduction=reduction)
        self._exhausted: str | None = None

    @property
    def running(self) -> list[int]:
        """Numbers of the candidates whose job is under way."""
        return [number for number, candidate in self.candidates.items() if candidate.is_running]

    @property
    def away(self) -> list[int]:
        """Numbers of the candidates that registered runners still time."""
        return [number for number, candidate in self.candidates.items() if candidate.is_away]

    @property
    def is_done(self) -> bool:
        """Whether nothing runs and nothing is left to start."""
        if self.running:
            return False
        if self.stop_reason is not None:
            return True
        is_idle = not self.away and not self._restarts and not self._waiting()
        return is_idle and self._is_last_call() and self._promotion() is None

    @property
    def exhausted_reason(self) -> str | None:
        """Why fewer architectures than the budget were tried, if the space ran out."""
        return self._exhausted

    def next_job(self) -> PlannedJob | None:
        """The job to start now, or None: all places are taken, or a result has to come first, or all is done."""
        # A batch that is timed takes one place; candidates that are only prepared take one each.
        together = len(self._timing) - bool(self._timing) if self._is_timed else 0
        places = self._concurrency - len(self.running) + together
        if self.stop_reason is not None or places <= 0:
            return None
        if self._restarts:
            return self._train(self._restarts.pop(0))
        promotion = self._promotion()
        if promotion is not None:
            number, rung = promotion
            self._standing.promoted(number, to=rung)
            self.candidates[number].target = rung
            return self._train(number)
        ready = [number for number in self._waiting() if self.candidates[number].is_timed]
        # A little ahead, so that no place is without work while the next are prepared.
        is_free = not self._timing or not self._is_timed
        if self._timing_batch is not None and len(ready) < self._concurrency and is_free:
            is_far_ahead = self._num_batches_away(self._timing_batch) >= (1 if ready else _MOST_AWAY)
            batch = None if is_far_ahead else self._next_batch(self._timing_batch)
            if batch is not None:
                return batch
        if ready:
            return self._train(ready[0])
        return self._new_training() if self._timing_batch is None else None

    def figures(self, number: int, figures: Mapping[str, float]) -> None:
        """Costs and latency of a candidate, as they become known."""
        self.candidates[number].figures.update(figures)

    def is_ready(self, number: int) -> bool:
        """Whether all is known of a candidate that has to be before its training: latencies, and what is bounded."""
        return self._needed <= self.candidates[number].figures.keys()

    def timed(self, number: int) -> None:
        """All that has to be known of a candidate before its training is, which can begin."""
        candidate = self.candidates[number]
        candidate.is_timed, candidate.is_running, candidate.is_away = True, False, False
        self._timing.discard(number)

    def broken(self, number: int) -> str | None:
        """The constraint that the costs and latencies of a candidate break, in words; None as far as can be told."""
        return self._demands.broken(self.candidates[number].figures)

    def turned_away(self, number: int) -> None:
        """A candidate that breaks a constraint before its training, which it has not: the proposer is told why."""
        candidate = self.candidates[number]
        candidate.target, candidate.is_turned_away = None, True
        candidate.is_running, candidate.is_away = False, False
        self._timing.discard(number)
        self._failures = 0
        self._proposer.tell(
            number, values(self._objectives, candidate.figures), constraints=self._demands.told(candidate.figures)
        )

    def sent(self, number: int) -> None:
        """A candidate whose place is free again while registered runners time it."""
        candidate = self.candidates[number]
        candidate.is_running, candidate.is_away = False, True
        self._timing.discard(number)

    def untimed(self, number: int) -> None:
        """A candidate whose timing ended without a result of its own, which is to be tried again."""
        candidate = self.candidates[number]
        candidate.is_running, candidate.is_away = False, False
        self._timing.discard(number)

    def stop(self, reason: str) -> None:
        """Nothing new is started; what runs goes on to its end, and the study may be taken up again."""
        self.stop_reason = self.stop_reason or reason

    def scored(self, number: int, rung: int, accuracy: float) -> None:
        """Accuracy of a candidate at a rung, which the proposer is told.

        Raises:
            SearchError: an objective has no value although the job has ended.
        """
        candidate = self.candidates[number]
        candidate.accuracy[rung] = accuracy
        candidate.target, candidate.is_running = None, False
        figures = {**candidate.figures, self._score: accuracy}
        found = values(self._objectives, figures)
        told = told_values(found)
        if told is None:
            raise SearchError(f"trial {number} ended without a value for each objective ({found}); report this")
        self._failures = 0
        if self._demands.broken(figures) is None:
            self._standing.reached(number, rung, told)
        self._proposer.tell(number, told, rung=rung, constraints=self._demands.told(figures))

    def failed(self, number: int, reason: str) -> None:
        """A job that ended without a score."""
        candidate = self.candidates[number]
        candidate.target, candidate.is_running, candidate.is_away = None, False, False
        candidate.is_failed = True
        self._timing.discard(number)
        if 0 not in candidate.accuracy:
            self._proposer.tell(number, None)
        self._standing.forget(number)
        self._failures += 1
        if self._failures >= self._max_failures:
            self.stop(f"{self._failures} failed trials in a row, the last because: {reason}")

    def restore(
        self,
        number: int,
        proposal: Proposal,
        *,
        figures: Mapping[str, float],
        accuracy: Mapping[int, float],
        is_failed: bool,
        is_turned_away: bool = False,
    ) -> None:
        """Takes in a trial of an earlier run, in order of number; one without a score waits for its first training."""
        candidate = Candidate(
            architecture=proposal.architecture,
            source=proposal.source,
            figures=dict(figures),
            accuracy=dict(accuracy),
            target=None if accuracy or is_failed or is_turned_away else 0,
            is_timed=self._needed <= figures.keys(),
            is_failed=is_failed,
            is_turned_away=is_turned_away,
        )
        self.candidates[number] = candidate
        points = {
            rung: values(self._objectives, {**figures, self._score: score}) for rung, score in sorted(accuracy.items())
        }
        first = {self._score: accuracy[0]} if 0 in accuracy else {}
        self._proposer.restore(
            number,
            proposal.architecture,
            proposal.state,
            values(self._objectives, figures) if is_turned_away else points.get(0),
            constraints=self._demands.told({**figures, **first}) if first or is_turned_away else None,
        )
        if is_failed and 0 not in points:
            self._proposer.tell(number, None)
        for rung, point in points.items():
            if not is_failed and self._demands.broken(figures) is None:
                self._standing.reached(number, rung, point)
            if rung > 0:
                self._standing.promoted(number, to=rung)
                self._proposer.tell(number, point, rung=rung)

    def restart(self, number: int) -> None:
        """Takes up the promotion that was under way for a restored candidate."""
        candidate = self.candidates[number]
        candidate.target = max(candidate.accuracy) + 1
        self._standing.promoted(number, to=candidate.target)
        self._restarts.append(number)

    def _waiting(self) -> list[int]:
        """New candidates whose next job has not begun."""
        return [
            number
            for number, found in self.candidates.items()
            if found.target == 0 and not found.is_running and not found.is_away
        ]

    def _num_batches_away(self, size: int) -> int:
        return len({number // size for number in self.away})

    def _train(self, number: int, proposal: Proposal | None = None) -> PlannedTraining:
        candidate = self.candidates[number]
        candidate.is_running = True
        assert candidate.target is not None
        return PlannedTraining(
            number=number, rung=candidate.target, architecture=candidate.architecture, proposal=proposal
        )

    def _new_training(self) -> PlannedTraining | None:
        found = self._new_candidate()
        return None if found is None else self._train(*found)

    def _next_batch(self, size: int) -> PlannedTiming | None:
        """Whoever of the first batch that is not wholly timed is left over, and new candidates up to its end."""
        numbers = [number for number in self._waiting() if not self.candidates[number].is_timed]
        end = (numbers[0] if numbers else len(self.candidates)) // size * size + size
        numbers = [number for number in numbers if number < end]
        proposals: dict[int, Proposal] = {}
        while len(self.candidates) < end and (found := self._new_candidate()) is not None:
            number, proposals[number] = found
            numbers.append(number)
        for number in numbers:
            self.candidates[number].is_running = True
        self._timing.update(numbers)
        return PlannedTiming(numbers=tuple(numbers), proposals=proposals) if numbers else None

    def _new_candidate(self) -> tuple[int, Proposal] | None:
        if self._is_last_call():
            return None
        number = len(self.candidates)
        try:
            proposal = self._propose(number)
        except SpaceExhausted as error:
            self._exhausted = str(error)
            return None
        self.candidates[number] = Candidate(
            architecture=proposal.architecture,
            source=proposal.source,
            target=0,
            is_timed=self._timing_batch is None,
        )
        return number, proposal

    def _propose(self, number: int) -> Proposal:
        # Asked for only where it is needed: over thousands of candidates their ids take most of the time.
        known = {candidate.architecture.id for candidate in self.candidates.values()} if self._references else set()
        for source, architecture in self._references:
            if architecture.id not in known:
                return self._proposer.propose_given(number, architecture, source)
        return self._proposer.propose(number)

    def _is_last_call(self) -> bool:
        return len(self.candidates) >= self._budget or self._exhausted is not None

    def _promotion(self) -> tuple[int, int] | None:
        if not self._is_last_call():
            return self._standing.next_promotion()
        targets = [target for candidate in self.candidates.values() if (target := candidate.target) is not None]
        return self._standing.last_promotion(lowest_target=min(targets, default=None))
