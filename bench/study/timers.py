"""The runners that a study times its candidates on: this machine's own, and registered ones that a hub leads to.

Which they are is resolved once, before anything is spent, by the process that drives the study; its workers are told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.errors import SearchError
from bench.fleet.client import HubClient
from bench.fleet.embedding import hub_client
from bench.fleet.measuring import measure_remotely
from bench.fleet.remote_runner import find_runner, is_local
from bench.measure import Job, Measurement, measure, resolve_runner
from bench.measure.exclusive import cpu_lock_folder, exclusive
from bench.networks.formats import FORMATS, require
from bench.store import Reader, latency_figure
from bench.study.config import StudyConfig
from bench.study.objectives import is_timed, study_objectives
from bench.study.timer import Timer


def times_here(config: StudyConfig) -> bool:
    """Whether a study times anything on this machine: then its latencies belong to this machine."""
    return is_timed(study_objectives(config)) and any(is_local(name) for name in config.timing.names)


@contextmanager
def hub_of(config: StudyConfig, store: Reader) -> Iterator[HubClient | None]:
    """The hub that leads to the study's runners while the study runs; None where all are this machine's.

    Raises:
        FleetError: a runner is not registered, or no hub can be reached or started.
    """
    remote = [name for name in config.timing.names if not is_local(name)]
    if not remote or not is_timed(study_objectives(config)):
        yield None
        return
    with hub_client(store.location, runners=remote) as client:
        yield client


def find_timers(config: StudyConfig, client: HubClient | None) -> tuple[Timer, ...]:
    """The runners of a study with the runtime that is used on each; none where latency is no objective.

    Args:
        client: of the hub; may be None where all runners are this machine's.

    Raises:
        MeasureError: a runner of this machine, or a runtime, cannot be used.
        FleetError: a runner is not registered, or quarantined.
        ExportError: what writes the format of a runtime is not installed here.
        SearchError: there is no hub that leads to a registered one.
    """
    if not is_timed(study_objectives(config)):
        return ()
    return tuple(_timer(name, config, client) for name in config.timing.names)


def time_on(
    timer: Timer, job: Job, client: HubClient | None, announce: Callable[[str], None]
) -> tuple[Measurement, ...]:
    """Times a job of a study on one of its runners; errors as of bench.measure and of bench.fleet.measuring.

    Args:
        announce: is told what is waited for, in words.
    """
    if timer.is_remote:
        assert client is not None  # found by it
        return measure_remotely(job, timer.name, client, told=lambda sign: announce(sign.words(timer.name)))
    with exclusive(cpu_lock_folder()):
        return measure(job)


def _timer(name: str, config: StudyConfig, client: HubClient | None) -> Timer:
    timing = config.timing
    if is_local(name):
        found = resolve_runner(name, runtime=timing.runtime)
        kind, runtime = found.name, found.runtime
    else:
        if client is None:
            raise SearchError(f"runner {name!r} is not of this machine; a hub leads to it; run this with its database")
        remote = find_runner(client, name)
        kind, runtime = remote.kind, remote.resolve(timing.runtime)
    timer = Timer(
        name=name,
        kind=kind,
        runtime=runtime,
        is_remote=not is_local(name),
        figure=latency_figure(name, timing.names),
    )
    require(next(form for form in FORMATS.values() if form.format == timer.format))
    return timer
