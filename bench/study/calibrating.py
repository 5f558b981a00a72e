"""Measures well-chosen networks on a runner, so that its latency model knows what the operators cost there."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import ExportError, FoldError, MeasureError
from bench.measure import Job, Setup, make_artifact, shared
from bench.measure.artifacts import reference_architecture
from bench.measure.exclusive import cpu_lock_folder
from bench.networks.cost import cost_quantities
from bench.space import Architecture, Space
from bench.store import Store
from bench.study.conditions import Conditions, Registered
from bench.study.keeping import keep
from bench.study.screening import conditions_on, fitted

# Networks of one session share its restarts and its reference: a third of the time of a session each.
_TOGETHER = 6
_LIMIT_S = 60.0

Progress = Callable[[int, int], None]


def calibrate(
    store: Store,
    space: Space,
    *,
    runner: str = "cpu",
    registered: Registered | None = None,
    runtime: str | None = None,
    threads: int = 1,
    count: int = 60,
    seed: int = 0,
    progress: Progress | None = None,
    announce: Callable[[str], None] = lambda text: None,
) -> Any:
    """Measures `count` networks of the space, those left out that the store has already; gives the model.

    What was measured stays when this is interrupted, and a second run goes on with the rest.

    Args:
        registered: the runner of that name, where it is none of this machine.
        progress: is called with networks done and networks of all.
        announce: is told in words what is waited for.

    Returns:
        `bench.predict.Calibration`: the model and its error on networks that it has not seen.

    Raises:
        MeasureError: the runner cannot be used, or too few networks could be timed.
        SpaceError: the space has no network that obeys its rules.
    """
    from bench.predict import choose

    runtimes = (runtime,) if runtime else ()
    place = Conditions(runner=runner, registered=registered, runtimes=runtimes, threads=(threads,), seed=seed)
    (setup,) = place.setups()
    chosen = choose(space, count, seed=seed, costs=cost_quantities)
    known = _known(store, runner=runner, runtime=setup.runtime, threads=threads)
    missing = [architecture for architecture in chosen if architecture.id not in known]
    done = 0
    for group in _groups(missing):
        with tempfile.TemporaryDirectory(prefix="bench-calibrate-") as folder:
            with shared(cpu_lock_folder()):
                job = _job(group, Path(folder), place, setup)
            if job is not None:
                for measurement in place.time(job, progress=None, announce=announce):
                    keep(store, measurement)
        done += len(group)
        if progress is not None:
            progress(done, len(missing))
    return fitted(store, runner=runner, runtime=setup.runtime, threads=threads)


def _groups(architectures: list[Architecture]) -> Iterator[list[Architecture]]:
    """Of one resolution each: a session has one reference."""
    sides = sorted({_side(architecture) for architecture in architectures})
    for side in sides:
        same = [architecture for architecture in architectures if _side(architecture) == side]
        yield from (same[begin : begin + _TOGETHER] for begin in range(0, len(same), _TOGETHER))


def _job(group: list[Architecture], folder: Path, place: Conditions, setup: Setup) -> Job | None:
    """A quick session of the group; None where none of it can be exported."""
    side = _side(group[0])
    pinned = reference_architecture(side)
    make = partial(make_artifact, folder=folder, runtime=setup.runtime, precision=setup.precision)
    reference, _ = make(pinned, label="reference")
    artifacts = []
    for architecture in group:
        # One that cannot be exported must not stop the others, now and whenever this is taken up again.
        with contextlib.suppress(ExportError, FoldError):
            artifacts.append(make(architecture, label=f"calibration {architecture.id}")[0])
    if not artifacts:
        return None
    return Job(
        artifacts=tuple(artifacts),
        reference=replace(reference, resolution=_side(pinned)),
        resolution=side,
        runner=place.kind,
        runtime=setup.runtime,
        threads=setup.threads,
        precision=setup.precision,
        limit_s=_LIMIT_S * len(artifacts),
        seed=place.seed,
    )


def _known(store: Store, *, runner: str, runtime: str, threads: int) -> set[str]:
    """Architectures that were timed under these conditions."""
    from bench.predict import usable

    try:
        conditions = conditions_on(store, runner=runner, runtime=runtime, threads=threads)
    except MeasureError:
        return set()
    records = store.all_measurements(runner=runner, runtime=runtime, threads=threads)
    return {sample.architecture.id for sample in usable(records, conditions)}


def _side(architecture: Architecture) -> int:
    return int(architecture.settings["input_resolution"])
