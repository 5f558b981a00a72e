"""Prepares new candidates and times them, several in one session: build, fold, export each, then time all of them.

A session pays for its reference, its A/A and the starts of its processes once, however many networks it times, and
trainings halt while it lasts. So candidates are timed a few at a time, before their training.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.errors import MeasureError
from bench.measure import Job, JobArtifact, Measurement, Summary, artifacts, measure, summarise
from bench.measure.catalogue import DEFAULT_RUNTIME
from bench.measure.exclusive import cpu_lock_folder, exclusive, shared
from bench.networks import cost_quantities
from bench.space import Architecture
from bench.study.config import StudyConfig
from bench.study.worker import WAIT, Update, crash_log, failure, use_threads


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingJob:
    """Candidates that are prepared one after the other and timed together.

    Attributes:
        candidates: number in the study and `Architecture.to_dict()` of each.
        config: `StudyConfig.to_dict()`.
        folder: of the study, shared by all workers.
        references: `JobArtifact` of the pinned network as a mapping, by resolution as text.
        reference_ms: what that took when the study began, by resolution as text; missing: ms are those of the session.
        threads: CPU threads of the preparation.
    """

    candidates: tuple[tuple[int, Mapping[str, Any]], ...]
    config: Mapping[str, Any]
    folder: str
    references: Mapping[str, Mapping[str, Any]]
    reference_ms: Mapping[str, float]
    threads: int

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of the candidates."""
        return tuple(number for number, _ in self.candidates)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TimingJob:
        """The job that `to_dict` gave."""
        return cls(**{**data, "candidates": tuple((number, found) for number, found in data["candidates"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    number: int
    artifact: JobArtifact
    beside: str
    """Key of the reference that it is timed beside."""


def time_candidates(job: TimingJob) -> Iterator[tuple[int, Update]]:
    """Does the job; yields number and update: `prepared` of each, then `measured` of each, or `failed`."""
    config = StudyConfig.from_dict(job.config)
    made: list[_Made] = []
    try:
        for number, mapping in job.candidates:
            try:
                with crash_log(Path(job.folder), number):
                    architecture = Architecture.from_dict(mapping)
                    artifact, update = prepare(config, architecture, Path(job.folder), number, threads=job.threads)
            except Exception as error:  # a trial that fails is data
                yield number, failure(error)
                continue
            side = update["resolution"]
            beside = str(reference_resolution(config, side))
            made.append(_Made(number=number, artifact=replace(artifact, resolution=side), beside=beside))
            yield number, update
        for beside in dict.fromkeys(found.beside for found in made):
            yield from _measured(job, config, beside, [found for found in made if found.beside == beside])
    finally:
        for number in job.numbers:
            remove_artifact(Path(job.folder), number)


def prepare(
    config: StudyConfig, architecture: Architecture, folder: Path, number: int, *, threads: int
) -> tuple[JobArtifact, Update]:
    """Builds, proves and exports a candidate of the study in `folder`, while nobody is timed.

    Raises:
        BenchError: it cannot be folded, exported or proven.
    """
    with shared(cpu_lock_folder()) as waited:
        use_threads(threads)
        artifact, update = make_artifact(config, architecture, folder / "artifacts", _label(number))
    return artifact, {**update, "seconds": {**update["seconds"], WAIT: waited}}


def remove_artifact(folder: Path, number: int) -> None:
    """Removes what `prepare` made."""
    for path in (folder / "artifacts").glob(f"{_label(number)}.*"):
        path.unlink()


def make_artifact(
    config: StudyConfig, architecture: Architecture, folder: Path, label: str
) -> tuple[JobArtifact, Update]:
    """The file that is timed, and what became known while it was made (bench.measure.artifacts)."""
    artifact, prepared = artifacts.make_artifact(
        architecture, folder, label, runtime=runtime_of(config), seed=config.seed
    )
    made = prepared.artifact
    return artifact, {
        "kind": "prepared",
        "figures": {
            # As rules count them, wherever it runs; what this artifact holds stands with the artifact.
            **cost_quantities(architecture),
            "artifact_mb": made.bytes / 1e6,
        },
        "artifact": {
            **made.to_dict(),
            "path": made.path.name,
            "fold_error": prepared.fold_error,
            "params": prepared.costs.params,
            "macs": prepared.costs.macs,
        },
        "seconds": dict(prepared.seconds),
        "resolution": int(architecture.settings["input_resolution"]),
    }


def runtime_of(config: StudyConfig) -> str:
    """What runs a candidate where it is timed."""
    return config.timing.runtime or DEFAULT_RUNTIME[config.timing.runner]


def reference_resolution(config: StudyConfig, resolution: int) -> int:
    """Which of the study's references a candidate of that deployment resolution is timed beside, by its key."""
    return config.timing.reference_resolution or resolution


def timing_job(
    config: StudyConfig, candidates: tuple[JobArtifact, ...], reference: Mapping[str, Any], *, resolution: int
) -> Job:
    """The quick measuring session of a search."""
    timing = config.timing
    return Job(
        artifacts=candidates,
        # This machine made and checked it when the study began.
        reference=replace(JobArtifact.from_dict(reference), is_checked=True),
        resolution=resolution,
        runner=timing.runner,
        runtime=runtime_of(config),
        threads=timing.threads,
        restarts=timing.restarts,
        most_restarts=timing.restarts,
        blocks=timing.blocks,
        iterations=timing.iterations,
        deadline_s=timing.deadline_s,
        seed=config.seed,
    )


def comparable(summary: Summary, reference_ms: float | None) -> dict[str, Any]:
    """The summary as a mapping, with milliseconds that compare across the sessions of a study.

    On a shared machine the milliseconds of one file drift by a third within an hour, its ratio to a network timed in
    the same blocks by a percent. So a study decides by that ratio, told in milliseconds by what the reference took
    when the study began.
    """
    own = (summary.median_ms, summary.low_ms, summary.high_ms)
    ratios = (summary.ratio_to_reference, summary.ratio_low, summary.ratio_high)
    told = own if reference_ms is None else tuple(ratio * reference_ms for ratio in ratios)
    names = ("comparable_ms", "comparable_low_ms", "comparable_high_ms")
    return asdict(summary) | dict(zip(names, told, strict=True))


def _measured(job: TimingJob, config: StudyConfig, beside: str, made: list[_Made]) -> Iterator[tuple[int, Update]]:
    side = made[0].artifact.resolution
    assert side is not None
    session = timing_job(config, tuple(found.artifact for found in made), job.references[beside], resolution=side)
    # Nothing else of ours runs meanwhile, on a GPU neither: launching the kernels of a small network takes the CPU.
    begin = time.perf_counter()
    with exclusive(cpu_lock_folder()) as waited:
        measurements = measure(session)
    took = time.perf_counter() - begin - waited
    seconds = {WAIT: waited / len(made), "time": took / len(made)}
    for found, measurement in zip(made, measurements, strict=True):
        update = _update(measurement, job.reference_ms.get(beside))
        yield found.number, {**update, "seconds": seconds}  # a failed one too: its samples and reason are data
        if not update["summary"]:
            error = MeasureError(f"timing failed ({measurement.verdict}): {measurement.reason}")
            yield found.number, failure(error)


def _update(measurement: Measurement, reference_ms: float | None) -> Update:
    summary = comparable(summarise(measurement), reference_ms) if measurement.has_figures else {}
    return {
        "kind": "measured",
        "figures": {"latency_ms": summary["comparable_ms"]} if summary else {},
        "measurement": measurement.to_dict(),
        "summary": summary,
    }


def _label(number: int) -> str:
    return f"trial-{number}"
