"""What has to be there before the first trial: packed pictures, the pinned reference, the hypervolume's corner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import SearchError
from bench.measure import JobArtifact, Summary, exclusive, measure, summarise
from bench.measure.artifacts import reference_architecture
from bench.measure.exclusive import cpu_lock_folder
from bench.space import Architecture
from bench.study.config import StudyConfig
from bench.study.evaluation import cache_folder, proxy_resolution, study_data
from bench.study.objectives import parse_objectives
from bench.study.timing import make_artifact, reference_resolution, timing_job

Progress = Callable[[str, int, int], None]

# The worst corner of the hypervolume lies this far beyond the largest network.
_MARGIN = 1.25


def pack_data(config: StudyConfig, resolutions: tuple[int, ...], progress: Progress) -> dict[int, str]:
    """Packs the pictures at every proxy resolution of the space; the content hash of each."""
    hashes = {}
    for side in sorted({proxy_resolution(resolution) for resolution in resolutions}):
        report = partial(progress, f"pictures at {side} px")
        hashes[side] = study_data(config, side, cache_folder(), progress=report).hash
    return hashes


def reference_artifacts(
    config: StudyConfig, resolutions: tuple[int, ...], folder: Path
) -> dict[int, Mapping[str, Any]]:
    """FastViT-T8 exported at every resolution that it is needed at, as mappings of `JobArtifact`."""
    artifacts: dict[int, Mapping[str, Any]] = {}
    for resolution in sorted({reference_resolution(config, resolution) for resolution in resolutions}):
        architecture = reference_architecture(resolution)
        artifact, _ = make_artifact(config, architecture, folder / "artifacts", f"reference-{resolution}")
        side = int(architecture.settings["input_resolution"])
        artifacts[resolution] = asdict(replace(artifact, resolution=side))
    return artifacts


def worst_corner(
    config: StudyConfig, largest: Architecture, references: Mapping[int, Mapping[str, Any]], folder: Path
) -> tuple[dict[str, float], dict[str, float]]:
    """The hypervolume's corner, and what the pinned network takes at each resolution (as text) in milliseconds.

    The corner is accuracy 0 and a quarter more than the costs of the largest network: the whole range that was asked
    for.
    """
    artifact, update = make_artifact(config, largest, folder / "artifacts", "largest")
    costs = {"accuracy": 0.0, **{name: value * _MARGIN for name, value in update["figures"].items()}}
    reference_ms = {}
    side = int(largest.settings["input_resolution"])
    for resolution, reference in references.items():
        is_largest = resolution == reference_resolution(config, side)
        timed = (
            artifact
            if is_largest
            else replace(JobArtifact.from_dict(reference), label="reference-again", is_checked=True)
        )
        summary = _timed(config, timed, reference, side if is_largest else resolution)
        reference_ms[str(resolution)] = summary.median_ms / summary.ratio_to_reference
        if is_largest:
            costs["latency_ms"] = summary.median_ms * _MARGIN
    return {objective.name: costs[objective.name] for objective in parse_objectives(config.objectives)}, reference_ms


def _timed(config: StudyConfig, artifact: JobArtifact, reference: Mapping[str, Any], resolution: int) -> Summary:
    job = timing_job(config, (artifact,), reference, resolution=resolution)
    with exclusive(cpu_lock_folder()):
        (measurement,) = measure(job)
    if not measurement.has_figures:
        raise SearchError(
            f"{artifact.label} at {resolution} px, which bounds the study, could not be timed: {measurement.reason}; "
            "bound the networks with --rule, or raise timing.deadline_s"
        )
    return summarise(measurement)
