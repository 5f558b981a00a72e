"""What has to be there before the first trial: packed pictures, the pinned reference, the hypervolume's corner."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import SearchError
from bench.measure import Job, JobArtifact, Measurement, Summary, summarise
from bench.measure.artifacts import reference_architecture
from bench.space import Architecture
from bench.store import SCORES
from bench.study.config import StudyConfig
from bench.study.evaluation import cache_folder, proxy_resolution, study_data
from bench.study.inherited import supernet_pictures
from bench.study.objectives import study_objectives
from bench.study.timer import Timer
from bench.study.timing import References, make_artifacts, reference_resolution, timing_job

Progress = Callable[[str, int, int], None]
# Times a job of one artifact on one of the study's runners.
Time = Callable[[Timer, Job], Sequence[Measurement]]

# The worst corner of the hypervolume lies this far beyond the largest network.
_MARGIN = 1.25


def pack_data(config: StudyConfig, resolutions: tuple[int, ...], progress: Progress) -> dict[int, str]:
    """Packs the pictures at every proxy resolution of the space, or those of the supernet; the content hash of each.

    Nothing is packed where nothing is trained.
    """
    hashes: dict[int, str] = {}
    if config.proxy.kind == "zero-cost":
        return hashes
    if config.proxy.kind == "supernet":
        return supernet_pictures(config, cache_folder())
    for side in sorted({proxy_resolution(resolution) for resolution in resolutions}):
        report = partial(progress, f"pictures at {side} px")
        hashes[side] = study_data(config, side, cache_folder(), progress=report).hash
    return hashes


def reference_artifacts(
    config: StudyConfig, resolutions: tuple[int, ...], folder: Path, timers: Sequence[Timer]
) -> References:
    """FastViT-T8 in the format of each runner, at every resolution that it is needed at; nothing without runners."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    needed = {reference_resolution(config, resolution) for resolution in resolutions} if timers else set()
    for resolution in sorted(needed):
        label = f"reference-{resolution}"
        made, _ = make_artifacts(config, reference_architecture(resolution), folder / "artifacts", label, timers)
        for timer in timers:
            found.setdefault(timer.format, {})[str(resolution)] = asdict(made[timer.name])
    return found


def worst_corner(
    config: StudyConfig,
    largest: Architecture,
    references: References,
    folder: Path,
    timers: Sequence[Timer],
    *,
    time: Time,
) -> tuple[dict[str, float], dict[str, float]]:
    """The hypervolume's corner, and what the pinned network takes in milliseconds, by `Timer.reference_key`.

    The corner is accuracy 0, or a score of 0, and a quarter more than the costs of the largest network: the whole range
    that was asked for.
    """
    files, update = make_artifacts(config, largest, folder / "artifacts", "largest", timers)
    costs = {**dict.fromkeys(SCORES, 0.0), **{name: value * _MARGIN for name, value in update["figures"].items()}}
    reference_ms = {}
    side = int(largest.settings["input_resolution"])
    for timer in timers:
        for resolution, reference in references[timer.format].items():
            is_largest = int(resolution) == reference_resolution(config, side)
            timed = (
                files[timer.name]
                if is_largest
                else replace(JobArtifact.from_dict(reference), label="reference-again", is_checked=True)
            )
            job = timing_job(config, timer, (timed,), reference, resolution=side if is_largest else int(resolution))
            summary = _timed(timer, job, time)
            reference_ms[timer.reference_key(resolution)] = summary.median_ms / summary.ratio_to_reference
            if is_largest:
                costs[timer.figure] = summary.median_ms * _MARGIN
    return {objective.name: costs[objective.name] for objective in study_objectives(config)}, reference_ms


def _timed(timer: Timer, job: Job, time: Time) -> Summary:
    (measurement,) = time(timer, job)
    if not measurement.has_figures:
        raise SearchError(
            f"{measurement.label} at {job.resolution} px, which bounds the study, could not be timed on {timer.name}: "
            f"{measurement.reason}; bound the networks with --rule, or raise timing.deadline_s"
        )
    return summarise(measurement)
