"""What the store gives back: frozen records, one class per table, free of SQL.

Nested values are JSON as Python mappings; whoever reads one parses it. Times are UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

# The edge of the typed world: what these hold is parsed where it is read, as by Architecture.from_dict.
Json: TypeAlias = Mapping[str, Any]

# Behind the name of a study: the study of its baselines, published networks that were tried as its own were.
BASELINES = "-baselines"

# The figure that a study tells latency by; with several runners one each, `latency_ms:NAME`.
LATENCY = "latency_ms"
ACCURACY = "accuracy"
ZERO_COST = "zero_cost"
SUPERNET = "supernet"
# What a study scores its candidates by, always its first objective; kept as `ScoreRecord.accuracy`.
SCORES = (ACCURACY, ZERO_COST, SUPERNET)

StudyStatus = Literal["running", "interrupted", "complete", "stopped", "failed"]
TrialStatus = Literal["queued", "running", "paused", "complete", "stopped", "failed"]


def latency_figure(runner: str, runners: Collection[str]) -> str:
    """Name of the latency on `runner` in a study that times on `runners`: of one runner it needs none."""
    return LATENCY if len(runners) < 2 else f"{LATENCY}:{runner}"


def score_figure(objectives: Iterable[str]) -> str:
    """Name of what a study with these objectives scores its candidates by: accuracy, unless it says otherwise."""
    return next((name for name in objectives if name in SCORES), ACCURACY)


def is_latency(figure: str) -> bool:
    """Whether a figure of that name is a latency, on whichever runner."""
    return figure.partition(":")[0] == LATENCY


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecord:
    """One search and everything needed to repeat it."""

    id: int
    name: str
    status: StudyStatus
    reason: str | None
    config: Json
    space_name: str
    space_text: str
    space_hash: str
    objectives: Json
    """Direction by name, the score first, `{"accuracy": "maximize", "latency_ms": "minimize"}`."""
    hypervolume_reference: Json
    """Value by objective; empty until it is stated."""
    reference_ms: Json
    """Milliseconds of the pinned reference when the study began, what a ratio is told in: by resolution as text, with
    several runners by `RESOLUTION:RUNNER`."""
    seed: int
    versions: Json
    git_revision: str | None
    fingerprint: Json
    created_at: datetime
    finished_at: datetime | None

    @property
    def runners(self) -> tuple[str, ...]:
        """Where its candidates are timed."""
        timing = self.config.get("timing") or {}
        return tuple(timing.get("runners") or (timing.get("runner", "cpu"),))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One architecture tried in one study; a failed trial is data, with its reason."""

    id: int
    study_id: int
    study_name: str
    number: int
    """Position in its study, from 0."""
    architecture_id: str
    architecture: Json
    source: str
    """Who proposed it: `reference:fastvit_t8`, `sampler:tpe`."""
    status: TrialStatus
    reason: str | None
    seed: int
    costs: Json
    stage_seconds: Json
    """Seconds spent by stage, summed over restarts and rungs."""
    rung: int | None
    """Highest rung with a score."""
    weights_path: str | None
    proposal: Json
    """What the sampler needs to be rebuilt."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def label(self) -> str:
        """`STUDY/NUMBER`, which `Store.find_trial` reads."""
        return f"{self.study_name}/{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRecord:
    """Score of a trial at one rung, with the fidelity it was bought at.

    Its `accuracy` is one where the study's score is (`score_figure`); a score of another kind stands there too.
    """

    id: int
    trial_id: int
    rung: int
    accuracy: float
    loss: float
    fidelity: Json
    curve: tuple[Json, ...]
    """Points of the training curve in order."""
    seconds: float
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainingRecord:
    """Score of a trial of the front that was trained again, after the search and with a seed of its own."""

    id: int
    trial_id: int
    seed: int
    accuracy: float | None
    """None where it failed, which is data too."""
    reason: str | None
    fidelity: Json
    seconds: float
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRecord:
    """One exported file of a trial."""

    id: int
    trial_id: int
    sha256: str
    format: str
    num_bytes: int
    details: Json
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRecord:
    """Raw samples of one artifact on one runner; the summary can be derived again from them."""

    id: int
    trial_id: int | None
    label: str | None
    """Its name in its session, where it is no trial's."""
    session: str | None
    """The same for all that was timed interleaved; only these are compared as pairs."""
    architecture_id: str | None
    runner: str
    runtime: str
    threads: int
    resolution: int
    artifact_sha256: str
    verdict: str
    reason: str | None
    protocol: Json
    fingerprint: Json
    summary: Json
    samples: Json
    created_at: datetime

    @property
    def latency(self) -> dict[str, float]:
        """`ms`, `low_ms` and `high_ms`: comparable in its study where a study timed it, else of its session."""
        prefix = "comparable_" if "comparable_ms" in self.summary else ""
        middle = self.summary["comparable_ms" if prefix else "median_ms"]
        return {"ms": middle, "low_ms": self.summary[f"{prefix}low_ms"], "high_ms": self.summary[f"{prefix}high_ms"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRecord:
    """What was found of one subject, such as a published model or a claim, in one run of a command."""

    id: int
    run: str
    """The same for all parts of one run; by it a run is taken up again."""
    kind: str
    subject: str
    data: Json
    fingerprint: Json
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """One thing that happened; `sequence` orders all events of a database, without reuse."""

    sequence: int
    study_id: int | None
    """None for a measurement outside any study."""
    trial_id: int | None
    kind: str
    data: Json
    created_at: datetime
