"""What has to be there before the first trial: packed pictures, the pinned reference, the hypervolume's corner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import SearchError
from bench.measure import JobArtifact, exclusive, measure, summarise
from bench.space import Architecture, load_space
from bench.study.config import StudyConfig
from bench.study.evaluation import (
    cache_folder,
    cpu_lock_folder,
    make_artifact,
    proxy_resolution,
    study_data,
    timing_job,
)
from bench.study.objectives import parse_objectives

Progress = Callable[[str, int, int], None]

# The pinned network that every candidate is timed beside.
REFERENCE = "fastvit_t8"
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
    """FastViT-T8 exported at every deployment resolution of the space, as mappings of `JobArtifact`."""
    published = load_space("fastvit").reference_points[REFERENCE].to_dict()
    artifacts: dict[int, Mapping[str, Any]] = {}
    for resolution in resolutions:
        settings = {**dict(published["settings"]), "input_resolution": resolution}  # type: ignore[call-overload]
        architecture = Architecture.from_dict({**published, "settings": settings})
        artifact, _ = make_artifact(config, architecture, folder / "artifacts", f"reference-{resolution}")
        artifacts[resolution] = asdict(artifact)
    return artifacts


def worst_corner(
    config: StudyConfig, largest: Architecture, references: Mapping[int, Mapping[str, Any]], folder: Path
) -> dict[str, float]:
    """Accuracy 0 and a quarter more than the costs of the largest network: the whole range that was asked for."""
    artifact, update = make_artifact(config, largest, folder / "artifacts", "largest")
    costs = {"accuracy": 0.0, **{name: value * _MARGIN for name, value in update["figures"].items()}}
    if references:
        costs["latency_ms"] = _latency(config, largest, artifact, references) * _MARGIN
    return {objective.name: costs[objective.name] for objective in parse_objectives(config.objectives)}


def _latency(
    config: StudyConfig,
    largest: Architecture,
    artifact: JobArtifact,
    references: Mapping[int, Mapping[str, Any]],
) -> float:
    resolution = int(largest.settings["input_resolution"])
    job = timing_job(config, (artifact,), references[resolution], resolution=resolution)
    with exclusive(cpu_lock_folder()):
        (measurement,) = measure(job)
    if not measurement.is_valid:
        raise SearchError(
            f"the largest network that the rules allow could not be timed: {measurement.reason}; "
            "bound the networks with --rule, or raise timing.deadline_s"
        )
    return summarise(measurement).median_ms
