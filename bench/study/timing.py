"""Prepares new candidates and times them, several in one session: build, fold, export each, then time all of them.

A session pays for its reference, its A/A and the starts of its processes once, however many networks it times, and
trainings halt while it lasts. So candidates are timed a few at a time, before their training. What registered runners
time is only prepared here: the process that drives the study sends it there (bench/study/remote.py).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.errors import MeasureError
from bench.measure import Job, JobArtifact, Measurement, Summary, artifacts, measure, summarise
from bench.measure.exclusive import cpu_lock_folder, exclusive, shared
from bench.networks import cost_quantities
from bench.space import Architecture
from bench.study.config import StudyConfig
from bench.study.timer import Timer
from bench.study.untrained import ZERO_COST_AT_SIZE, Standards, score_at_size
from bench.study.worker import WAIT, Update, crash_log, failure, use_threads

# Among the stages of a trial: its zero-cost score, which a constraint bounds.
ZERO_COST_STAGE = "zero-cost score"

# Where nothing is timed: the artifact that a study tells the size of.
_PLAIN = ("onnx", "onnxruntime", "fp32")

# Format -> resolution as text -> `JobArtifact` of the pinned network as a mapping.
References = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingJob:
    """Candidates that are prepared one after the other and timed together.

    Attributes:
        candidates: number in the study and `Architecture.to_dict()` of each.
        config: `StudyConfig.to_dict()`.
        folder: of the study, shared by all workers.
        timers: `Timer.to_dict()` of each that has not timed them yet; those of this machine time here, for the others
            files are left behind.
        references: the pinned network in every format, at every resolution.
        reference_ms: what that took when the study began, by `Timer.reference_key`; missing: ms are those of the
            session.
        threads: CPU threads of the preparation.
        standards: of `score_at_size`, where a constraint bounds it.
        cache_folder: where what zero-cost proxies say is kept.
    """

    candidates: tuple[tuple[int, Mapping[str, Any]], ...]
    config: Mapping[str, Any]
    folder: str
    timers: tuple[Mapping[str, Any], ...]
    references: References
    reference_ms: Mapping[str, float]
    threads: int
    standards: Standards | None = None
    cache_folder: str = ""

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of the candidates."""
        return tuple(number for number, _ in self.candidates)

    @property
    def last_update(self) -> tuple[str, int]:
        """Kind of the updates that a candidate of it ends with, and how many of them it has."""
        num_here = sum(not timer["is_remote"] for timer in self.timers)
        return ("measured", num_here) if num_here else ("prepared", 1)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TimingJob:
        """The job that `to_dict` gave."""
        candidates = tuple((number, found) for number, found in data["candidates"])
        return cls(**{**data, "candidates": candidates, "timers": tuple(data["timers"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    number: int
    files: Mapping[str, JobArtifact]
    """By name of the timer."""
    beside: str
    """Resolution of the reference that it is timed beside."""


def time_candidates(job: TimingJob) -> Iterator[tuple[int, Update]]:
    """Does the job; yields number and update: `prepared` of each, then `measured` of each and timer, or `failed`."""
    config = StudyConfig.from_dict(job.config)
    timers = tuple(Timer.from_dict(timer) for timer in job.timers)
    folder = Path(job.folder)
    made: list[_Made] = []
    try:
        for number, mapping in job.candidates:
            try:
                with crash_log(folder, number):
                    architecture = Architecture.from_dict(mapping)
                    files, update = prepare(config, architecture, folder, number, timers, threads=job.threads)
                    if job.standards is not None:
                        update = _with_zero_cost(job, job.standards, config, architecture, update)
            except Exception as error:  # a trial that fails is data
                yield number, failure(error)
                continue
            if _is_turned_away(config, update):
                remove_artifacts(folder, number)
                yield number, update
                continue
            beside = str(reference_resolution(config, update["resolution"]))
            made.append(_Made(number=number, files=files, beside=beside))
            sent = {timer.name: asdict(files[timer.name]) for timer in timers if timer.is_remote}
            yield number, update | {"files": sent, "beside": beside}
        for timer in timers:
            if not timer.is_remote:
                failed = yield from _measured(job, config, timer, made)
                made = [found for found in made if found.number not in failed]
    finally:
        # What is sent elsewhere is still needed, by whoever sends it.
        if not any(timer.is_remote for timer in timers):
            for number in job.numbers:
                remove_artifacts(folder, number)


def prepare(
    config: StudyConfig,
    architecture: Architecture,
    folder: Path,
    number: int,
    timers: Sequence[Timer],
    *,
    threads: int,
) -> tuple[dict[str, JobArtifact], Update]:
    """Builds, proves and exports a candidate of the study in `folder`, while nobody is timed.

    Raises:
        BenchError: it cannot be folded, exported or proven.
    """
    with shared(cpu_lock_folder()) as waited:
        use_threads(threads)
        files, update = make_artifacts(config, architecture, folder / "artifacts", label_of(number), timers)
    return files, {**update, "seconds": {**update["seconds"], WAIT: waited}}


def _with_zero_cost(
    job: TimingJob, standards: Standards, config: StudyConfig, architecture: Architecture, update: Update
) -> Update:
    """The update of a prepared candidate with how it looks untrained among its figures."""
    with shared(cpu_lock_folder()) as waited:
        score, spent = score_at_size(architecture, standards, seed=config.seed, cache=Path(job.cache_folder))
    seconds = {**update["seconds"], WAIT: update["seconds"][WAIT] + waited, ZERO_COST_STAGE: spent}
    return {**update, "figures": {**update["figures"], ZERO_COST_AT_SIZE: score}, "seconds": seconds}


def _is_turned_away(config: StudyConfig, update: Update) -> bool:
    """Whether a prepared candidate breaks a constraint already, so that nobody times it."""
    if not config.constraints:
        return False
    # Not above: it imports a database, which workers do without otherwise.
    from bench.study.constraints import demands_of

    return demands_of(config).broken(update["figures"]) is not None


def remove_artifacts(folder: Path, number: int) -> None:
    """Removes what `prepare` made, files and folders."""
    for path in (folder / "artifacts").glob(f"{label_of(number)}.*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def make_artifacts(
    config: StudyConfig, architecture: Architecture, folder: Path, label: str, timers: Sequence[Timer]
) -> tuple[dict[str, JobArtifact], Update]:
    """The files that are timed by name of their timer, and what became known while they were made."""
    side = int(architecture.settings["input_resolution"])
    kinds = {timer.format: (timer.format, timer.runtime, timer.precision) for timer in timers} or {"onnx": _PLAIN}
    made: dict[str, JobArtifact] = {}
    seconds: dict[str, float] = {}
    for kind, runtime, precision in kinds.values():
        artifact, prepared = artifacts.make_artifact(
            architecture, folder, label, runtime=runtime, seed=config.seed, precision=precision
        )
        made[kind] = replace(artifact, resolution=side)
        for stage, spent in prepared.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + spent
    first = prepared.artifact
    update = {
        "kind": "prepared",
        "figures": {
            # As rules count them, wherever it runs; what this artifact holds stands with the artifact.
            **cost_quantities(architecture),
            "artifact_mb": first.bytes / 1e6,
        },
        "artifact": {
            **first.to_dict(),
            "path": first.path.name,
            "fold_error": prepared.fold_error,
            "params": prepared.costs.params,
            "macs": prepared.costs.macs,
        },
        "seconds": seconds,
        "resolution": side,
    }
    return {timer.name: made[timer.format] for timer in timers}, update


def reference_resolution(config: StudyConfig, resolution: int) -> int:
    """Which of the study's references a candidate of that deployment resolution is timed beside, by its key."""
    return config.timing.reference_resolution or resolution


def timing_job(
    config: StudyConfig,
    timer: Timer,
    candidates: tuple[JobArtifact, ...],
    reference: Mapping[str, Any],
    *,
    resolution: int,
) -> Job:
    """The quick measuring session of a search."""
    timing = config.timing
    return Job(
        artifacts=candidates,
        # This machine made and checked it when the study began.
        reference=replace(JobArtifact.from_dict(reference), is_checked=True),
        resolution=resolution,
        runner=timer.kind,
        runtime=timer.runtime,
        threads=timing.threads,
        precision=timer.precision,
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
    when the study began, on the same runner.
    """
    own = (summary.median_ms, summary.low_ms, summary.high_ms)
    ratios = (summary.ratio_to_reference, summary.ratio_low, summary.ratio_high)
    told = own if reference_ms is None else tuple(ratio * reference_ms for ratio in ratios)
    names = ("comparable_ms", "comparable_low_ms", "comparable_high_ms")
    return asdict(summary) | dict(zip(names, told, strict=True))


def measured_updates(
    measurement: Measurement, timer: Timer, reference_ms: float | None, seconds: Mapping[str, float]
) -> Iterator[Update]:
    """What a measurement tells of its candidate; of one without figures also that it failed."""
    summary = comparable(summarise(measurement), reference_ms) if measurement.has_figures else {}
    yield {  # a failed one too: its samples and reason are data
        "kind": "measured",
        "figures": {timer.figure: summary["comparable_ms"]} if summary else {},
        "measurement": measurement.to_dict(),
        "summary": summary,
        "seconds": dict(seconds),
    }
    if not summary:
        where = f" on {timer.name}" if timer.is_remote else ""
        yield failure(MeasureError(f"timing{where} failed ({measurement.verdict}): {measurement.reason}"))


def label_of(number: int) -> str:
    """Of a candidate in the jobs that time it."""
    return f"trial-{number}"


def _measured(
    job: TimingJob, config: StudyConfig, timer: Timer, made: Sequence[_Made]
) -> Generator[tuple[int, Update], None, set[int]]:
    """Times on a runner of this machine, in a session for each reference; gives the numbers of those that failed."""
    failed: set[int] = set()
    for beside in dict.fromkeys(found.beside for found in made):
        group = [found for found in made if found.beside == beside]
        side = group[0].files[timer.name].resolution
        assert side is not None
        candidates = tuple(found.files[timer.name] for found in group)
        session = timing_job(config, timer, candidates, job.references[timer.format][beside], resolution=side)
        # Nothing else of ours runs meanwhile, on a GPU neither: launching the kernels of a small network takes the CPU.
        begin = time.perf_counter()
        with exclusive(cpu_lock_folder()) as waited:
            measurements = measure(session)
        took = time.perf_counter() - begin - waited
        seconds = {WAIT: waited / len(group), "time": took / len(group)}
        for found, measurement in zip(group, measurements, strict=True):
            reference_ms = job.reference_ms.get(timer.reference_key(beside))
            for update in measured_updates(measurement, timer, reference_ms, seconds):
                if update["kind"] == "failed":
                    failed.add(found.number)
                yield found.number, update
    return failed
