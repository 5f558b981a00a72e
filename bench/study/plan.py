"""What a study does next, as a state machine without clocks, processes or a database.

`next_job` answers with a job, or with None when nothing can be started now; the results come back through `figures`,
`scored` and `failed`. Whoever runs the jobs and writes them down (`runner.py`) asks again after each. The same plan is
rebuilt from the store when a study is resumed or replayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.errors import SearchError
from bench.space import Architecture
from bench.study import halving
from bench.study.halving import Rung
from bench.study.objectives import Objective, directions, values
from bench.study.proposer import Proposal, Proposer, SpaceExhausted, told_values


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """Train candidate `number` up to `rung`; `proposal` is set when the candidate is new."""

    number: int
    rung: int
    architecture: Architecture
    proposal: Proposal | None


@dataclass(slots=True, kw_only=True)
class Candidate:
    """What the plan knows of one trial."""

    architecture: Architecture
    source: str
    figures: dict[str, float] = field(default_factory=dict)
    accuracy: dict[int, float] = field(default_factory=dict)
    target: int | None = None
    """Rung of the job under way."""
    is_failed: bool = False


class Plan:
    """The order of work of one study.

    Args:
        proposer: who proposes.
        objectives: accuracy first.
        rungs: pictures seen at each rung.
        reduction: one in this many goes on.
        budget: distinct architectures.
        concurrency: jobs at a time.
        references: tried first, by name.
        max_failures: failures in a row that end the study.
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
    ) -> None:
        self.candidates: dict[int, Candidate] = {}
        self.stop_reason: str | None = None
        self._proposer, self._objectives, self._rungs = proposer, tuple(objectives), tuple(rungs)
        self._reduction, self._budget, self._concurrency = reduction, budget, concurrency
        self._references = [(f"reference:{name}", architecture) for name, architecture in references.items()]
        self._max_failures, self._failures = max_failures, 0
        self._reached: list[dict[int, tuple[float, ...]]] = [{} for _ in rungs]
        self._promoted: list[set[int]] = [set() for _ in rungs]
        self._exhausted: str | None = None

    @property
    def running(self) -> list[int]:
        """Numbers of the candidates whose job is under way."""
        return [number for number, candidate in self.candidates.items() if candidate.target is not None]

    @property
    def is_done(self) -> bool:
        """Whether nothing runs and nothing is left to start."""
        return not self.running and (
            self.stop_reason is not None or (self._is_last_call() and self._promotion() is None)
        )

    @property
    def exhausted_reason(self) -> str | None:
        """Why fewer architectures than the budget were tried, if the space ran out."""
        return self._exhausted

    def next_job(self) -> PlannedJob | None:
        """The job to start now, or None: all places are taken, or a result has to come first, or all is done."""
        if self.stop_reason is not None or len(self.running) >= self._concurrency:
            return None
        promotion = self._promotion()
        if promotion is not None:
            number, rung = promotion
            self._promoted[rung - 1].add(number)
            self.candidates[number].target = rung
            return PlannedJob(
                number=number, rung=rung, architecture=self.candidates[number].architecture, proposal=None
            )
        return self._new_candidate() if not self._is_last_call() else None

    def figures(self, number: int, figures: Mapping[str, float]) -> None:
        """Costs and latency of a candidate, as they become known."""
        self.candidates[number].figures.update(figures)

    def scored(self, number: int, rung: int, accuracy: float) -> None:
        """Accuracy of a candidate at a rung; the sampler is told at the first.

        Raises:
            SearchError: an objective has no value although the job has ended.
        """
        candidate = self.candidates[number]
        candidate.accuracy[rung] = accuracy
        candidate.target = None
        found = values(self._objectives, {**candidate.figures, "accuracy": accuracy})
        told = told_values(found)
        if told is None:
            raise SearchError(f"trial {number} ended without a value for each objective ({found}); report this")
        self._failures = 0
        self._reached[rung][number] = told
        if rung == 0:
            self._proposer.tell(number, told)

    def failed(self, number: int, reason: str) -> None:
        """A job that ended without a score."""
        candidate = self.candidates[number]
        candidate.target = None
        candidate.is_failed = True
        if 0 not in candidate.accuracy:
            self._proposer.tell(number, None)
        for reached in self._reached:
            reached.pop(number, None)
        self._failures += 1
        if self._failures >= self._max_failures:
            self.stop_reason = f"{self._failures} failed trials in a row, the last because: {reason}"

    def restore(
        self,
        number: int,
        proposal: Proposal,
        *,
        figures: Mapping[str, float],
        accuracy: Mapping[int, float],
        is_failed: bool,
    ) -> None:
        """Takes in a trial of an earlier run, in order of number."""
        candidate = Candidate(
            architecture=proposal.architecture,
            source=proposal.source,
            figures=dict(figures),
            accuracy=dict(accuracy),
            is_failed=is_failed,
        )
        self.candidates[number] = candidate
        told = None
        for rung, score in sorted(accuracy.items()):
            point = values(self._objectives, {**figures, "accuracy": score})
            told = point if rung == 0 else told
            if not is_failed:
                self._reached[rung][number] = point
            if rung > 0:
                self._promoted[rung - 1].add(number)
        self._proposer.restore(number, proposal.architecture, proposal.state, told)
        if is_failed and told is None:
            self._proposer.tell(number, None)

    def restart(self, number: int) -> PlannedJob:
        """The job that was under way for a restored candidate without a score at the rung it was on its way to."""
        candidate = self.candidates[number]
        rung = max(candidate.accuracy, default=-1) + 1
        candidate.target = rung
        if rung > 0:
            self._promoted[rung - 1].add(number)
        return PlannedJob(number=number, rung=rung, architecture=candidate.architecture, proposal=None)

    def _new_candidate(self) -> PlannedJob | None:
        number = len(self.candidates)
        try:
            proposal = self._propose(number)
        except SpaceExhausted as error:
            self._exhausted = str(error)
            return None
        self.candidates[number] = Candidate(architecture=proposal.architecture, source=proposal.source, target=0)
        return PlannedJob(number=number, rung=0, architecture=proposal.architecture, proposal=proposal)

    def _propose(self, number: int) -> Proposal:
        known = {candidate.architecture.id for candidate in self.candidates.values()}
        for source, architecture in self._references:
            if architecture.id not in known:
                return self._proposer.propose_given(number, architecture, source)
        return self._proposer.propose(number)

    def _is_last_call(self) -> bool:
        return len(self.candidates) >= self._budget or self._exhausted is not None

    def _promotion(self) -> tuple[int, int] | None:
        last_call = self._is_last_call()
        rungs = [
            Rung(images=images, values=reached, promoted=frozenset(promoted))
            for images, reached, promoted in zip(self._rungs, self._reached, self._promoted, strict=True)
        ]
        if last_call:
            # The front of a rung is known once nobody is on the way to it any more.
            targets = [target for c in self.candidates.values() if (target := c.target) is not None]
            rungs = rungs[: min(targets, default=len(rungs)) + 1]
        return halving.next_promotion(
            rungs, maximise=directions(self._objectives), reduction=self._reduction, is_last_call=last_call
        )
