"""What a plan works with: jobs to do, and what is known of each candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.space import Architecture
from bench.study.proposer import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTraining:
    """Train candidate `number` up to `rung`; `proposal` is set when the candidate is new."""

    number: int
    rung: int
    architecture: Architecture
    proposal: Proposal | None

    @property
    def proposals(self) -> Mapping[int, Proposal]:
        """Of the candidate, if it is new."""
        return {} if self.proposal is None else {self.number: self.proposal}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTiming:
    """Prepare the candidates of these numbers and time them together; `proposals` are those that are new."""

    numbers: tuple[int, ...]
    proposals: Mapping[int, Proposal]


PlannedJob = PlannedTraining | PlannedTiming


@dataclass(slots=True, kw_only=True)
class Candidate:
    """What the plan knows of one trial."""

    architecture: Architecture
    source: str
    figures: dict[str, float] = field(default_factory=dict)
    accuracy: dict[int, float] = field(default_factory=dict)
    target: int | None = None
    """Rung that it is on its way to, whether its job has begun or not."""
    is_timed: bool
    """Whether its training can begin: its latency, and what else a constraint bounds before it, is known."""
    is_running: bool = False
    is_away: bool = False
    """Whether it is prepared, and registered runners still time it."""
    is_failed: bool = False
    is_turned_away: bool = False
    """Whether its latency, or what else is known before a training, breaks a constraint, so that it has none."""

    @property
    def is_known(self) -> bool:
        """Whether there is a first result of it."""
        return self.is_failed or self.is_turned_away or bool(self.accuracy)
