"""Measures well-chosen networks on a runner, so that its latency model knows what the operators cost there."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.errors import ExportError, FoldError
from bench.measure import Job, exclusive, make_artifact, measure, resolve_runner, shared
from bench.measure.artifacts import reference_architecture
from bench.measure.exclusive import cpu_lock_folder
from bench.networks.cost import cost_quantities
from bench.space import Architecture, Space
from bench.store import Store
from bench.study.measuring import keep
from bench.study.screening import fitted, plain_conditions

# Networks of one session share its restarts and its reference: a third of the time of a session each.
_TOGETHER = 6
_LIMIT_S = 60.0

Progress = Callable[[int, int], None]


def calibrate(
    store: Store,
    space: Space,
    *,
    runner: str = "cpu",
    runtime: str | None = None,
    threads: int = 1,
    count: int = 60,
    seed: int = 0,
    progress: Progress | None = None,
) -> Any:
    """Measures `count` networks of the space, those left out that the store has already; gives the model.

    What was measured stays when this is interrupted, and a second run goes on with the rest.

    Returns:
        `bench.predict.Calibration`: the model and its error on networks that it has not seen.

    Raises:
        MeasureError: the runner cannot be used, or too few networks could be timed.
        SpaceError: the space has no network that obeys its rules.
    """
    from bench.predict import choose

    found = resolve_runner(runner, runtime=runtime)
    chosen = choose(space, count, seed=seed, costs=cost_quantities)
    known = _known(store, runner=runner, runtime=found.runtime, threads=threads)
    missing = [architecture for architecture in chosen if architecture.id not in known]
    done = 0
    for group in _groups(missing):
        with tempfile.TemporaryDirectory(prefix="bench-calibrate-") as folder:
            with shared(cpu_lock_folder()):
                job = _job(group, Path(folder), runner=runner, runtime=found.runtime, threads=threads, seed=seed)
            if job is not None:
                with exclusive(cpu_lock_folder()):
                    measurements = measure(job)
                for measurement in measurements:
                    keep(store, measurement)
        done += len(group)
        if progress is not None:
            progress(done, len(missing))
    return fitted(store, runner=runner, runtime=found.runtime, threads=threads)


def _groups(architectures: list[Architecture]) -> Iterator[list[Architecture]]:
    """Of one resolution each: a session has one reference."""
    sides = sorted({_side(architecture) for architecture in architectures})
    for side in sides:
        same = [architecture for architecture in architectures if _side(architecture) == side]
        yield from (same[begin : begin + _TOGETHER] for begin in range(0, len(same), _TOGETHER))


def _job(group: list[Architecture], folder: Path, *, runner: str, runtime: str, threads: int, seed: int) -> Job | None:
    """A quick session of the group; None where none of it can be exported."""
    side = _side(group[0])
    pinned = reference_architecture(side)
    reference, _ = make_artifact(pinned, folder, "reference", runtime=runtime)
    artifacts = []
    for architecture in group:
        # One that cannot be exported must not stop the others, now and whenever this is taken up again.
        with contextlib.suppress(ExportError, FoldError):
            artifacts.append(make_artifact(architecture, folder, f"calibration {architecture.id}", runtime=runtime)[0])
    if not artifacts:
        return None
    return Job(
        artifacts=tuple(artifacts),
        reference=replace(reference, resolution=_side(pinned)),
        resolution=side,
        runner=runner,
        runtime=runtime,
        threads=threads,
        limit_s=_LIMIT_S * len(artifacts),
        seed=seed,
    )


def _known(store: Store, *, runner: str, runtime: str, threads: int) -> set[str]:
    """Architectures that were timed under these conditions."""
    from bench.predict import usable

    records = store.all_measurements(runner=runner, runtime=runtime, threads=threads)
    here = plain_conditions(runner=runner, runtime=runtime, threads=threads)
    return {sample.architecture.id for sample in usable(records, here)}


def _side(architecture: Architecture) -> int:
    return int(architecture.settings["input_resolution"])
