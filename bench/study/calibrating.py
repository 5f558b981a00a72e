"""Measures well-chosen networks on a runner, so that its latency model knows what the operators cost there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.measure import Job, exclusive, fingerprint, make_artifact, measure, resolve_runner, same_conditions
from bench.measure.artifacts import reference_architecture
from bench.measure.exclusive import cpu_lock_folder
from bench.networks.cost import cost_quantities
from bench.space import Architecture, Space
from bench.store import Store
from bench.study.measuring import keep
from bench.study.screening import fitted

# Networks of one session share its restarts and its reference: a third of the time of a session each.
_TOGETHER = 6

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
    done = len(chosen) - len(missing)
    if progress is not None:
        progress(done, len(chosen))
    for group in _groups(missing):
        with tempfile.TemporaryDirectory(prefix="bench-calibrate-") as folder:
            job = _job(group, Path(folder), runner=runner, runtime=found.runtime, threads=threads, seed=seed)
            with exclusive(cpu_lock_folder()):
                measurements = measure(job)
        for measurement in measurements:
            keep(store, measurement)
        done += len(group)
        if progress is not None:
            progress(done, len(chosen))
    return fitted(store, runner=runner, runtime=found.runtime, threads=threads)


def _groups(architectures: list[Architecture]) -> Iterator[list[Architecture]]:
    """Of one resolution each: a session has one reference."""
    sides = sorted({_side(architecture) for architecture in architectures})
    for side in sides:
        same = [architecture for architecture in architectures if _side(architecture) == side]
        yield from (same[begin : begin + _TOGETHER] for begin in range(0, len(same), _TOGETHER))


def _job(group: list[Architecture], folder: Path, *, runner: str, runtime: str, threads: int, seed: int) -> Job:
    reference, _ = make_artifact(reference_architecture(_side(group[0])), folder, "reference", runtime=runtime)
    artifacts = tuple(
        make_artifact(architecture, folder, f"calibration {architecture.id}", runtime=runtime)[0]
        for architecture in group
    )
    return Job(
        artifacts=artifacts,
        reference=reference,
        resolution=_side(group[0]),
        runner=runner,
        runtime=runtime,
        threads=threads,
        seed=seed,
    )


def _known(store: Store, *, runner: str, runtime: str, threads: int) -> set[str]:
    """Architectures that were timed under these conditions."""
    from bench.predict.stored import USABLE_VERDICTS

    here = fingerprint(runner=runner, runtime=runtime, threads=threads)
    return {
        record.architecture_id
        for record in store.all_measurements(runner=runner, runtime=runtime, threads=threads)
        if record.architecture_id is not None
        and record.verdict in USABLE_VERDICTS
        and not same_conditions({key: record.fingerprint.get(key) for key in here}, here)
    }


def _side(architecture: Architecture) -> int:
    return int(architecture.settings["input_resolution"])
