"""Where and how models are timed outside any study: the runner, its runtimes, and the numbers of a session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.errors import MeasureError
from bench.fleet.client import HubClient
from bench.fleet.embedding import hub_client
from bench.fleet.measuring import measure_remotely
from bench.fleet.remote_runner import RemoteRunner, find_runner, is_local
from bench.measure import Job, Measurement, Setup, exclusive, fingerprint, measure, resolve_runner
from bench.measure.catalogue import RUNTIMES
from bench.measure.exclusive import cpu_lock_folder
from bench.measure.session import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A registered runner, and the client of the hub that leads to it."""

    runner: RemoteRunner
    client: HubClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Where and how models are timed.

    Attributes:
        runner: "cpu", "cuda" or "apple" of this machine, or the name of a registered runner.
        registered: that runner; None for one of this machine.
        runtimes: names of `catalogue.RUNTIMES`; empty takes the runner's usual one.
        threads: of each runtime; several give several rows.
        precision: of runtimes that can choose; None: each one's usual.
        channels_last: memory format of torch.
        forms: "deploy", "train" or "timm"; several give several rows.
        resolution: of the input; None: each model's own.
        cpus: the timed processes are pinned to; None leaves them free.
        options: of the runtimes' own.
        is_quick: three restarts and an aim of 3 % in place of six and 1 %.
        target: half width of the ratio's interval that is aimed at; None: by `is_quick`.
        limit_s: no further restart begins after so many seconds; None: the protocol's.
        most_restarts: while the target is missed; None: the protocol's.
        reference_resolution: of the pinned FastViT-T8, or the nearest that it can take; None: that of the first model,
            so that sessions at other resolutions tell ratios to another network.
        seed: of weights and of the order of visits.
    """

    runner: str = "cpu"
    registered: Registered | None = None
    runtimes: tuple[str, ...] = ()
    threads: tuple[int, ...] = (1,)
    precision: str | None = None
    channels_last: bool = False
    forms: tuple[str, ...] = ("deploy",)
    resolution: int | None = None
    cpus: tuple[int, ...] | None = None
    options: tuple[tuple[str, str], ...] = ()
    is_quick: bool = False
    target: float | None = None
    limit_s: float | None = None
    most_restarts: int | None = None
    reference_resolution: int | None = None
    seed: int = 0

    @property
    def kind(self) -> str:
        """Of the device: "cpu", "cuda" or "apple"."""
        return self.runner if self.registered is None else self.registered.runner.kind

    def setups(self) -> tuple[Setup, ...]:
        """Every runtime with every number of threads; refused here if it cannot run there."""
        names = tuple(self._resolved(name) for name in self.runtimes or (None,))
        if self.registered is None:
            _check_cpus(self.cpus)
        return tuple(
            Setup(
                runtime=name,
                threads=threads,
                precision=self.precision or RUNTIMES[name].precisions[0],
                channels_last=self.channels_last,
                options=self.options,
            )
            for name in names
            for threads in self.threads
        )

    def circumstances(self) -> dict[str, Any]:
        """What figures of one runner and runtime have to agree in: machine and software, as far as they are known."""
        setup = self.setups()[0]
        if self.registered is None:
            return fingerprint(runner=self.runner, runtime=setup.runtime, threads=setup.threads)
        runner = self.registered.runner
        return {
            "runner": runner.name,
            "kind": runner.kind,
            "device": dict(runner.device),
            "runtime": setup.runtime,
            "versions": dict(runner.runtimes[setup.runtime].get("versions") or {}),
            "threads": setup.threads,
        }

    def time(self, job: Job, *, progress: Progress | None, announce: Callable[[str], None]) -> tuple[Measurement, ...]:
        """One judged measurement for each artifact of `job`, which nothing of ours disturbs.

        Raises:
            MeasureError: a registered runner could not do it; here it gives a failed measurement.
            FleetError: the hub refuses it.
        """
        if self.registered is None:
            announce("waiting for the CPU")
            with exclusive(cpu_lock_folder()):
                return measure(job, progress=progress)
        return measure_remotely(
            job,
            self.runner,
            self.registered.client,
            progress=progress,
            told=lambda sign: announce(sign.words(self.runner)),
        )

    def _resolved(self, runtime: str | None) -> str:
        if self.registered is not None:
            return self.registered.runner.resolve(runtime)
        return resolve_runner(self.runner, runtime=runtime).runtime


@contextmanager
def registered_runners(
    names: Sequence[str], db: str | None, *, is_test: bool = False
) -> Iterator[Mapping[str, Registered]]:
    """Those of `names` that are no runners of this machine, while they are used.

    Args:
        is_test: they may be quarantined.

    Raises:
        FleetError: one is not registered or cannot be used, or no hub can be reached or started.
    """
    remote = tuple(dict.fromkeys(name for name in names if not is_local(name)))
    if not remote:
        yield {}
        return
    with hub_client(db, runners=remote) as client:
        found = {name: find_runner(client, name, is_test=is_test) for name in remote}
        yield {name: Registered(runner=runner, client=client) for name, runner in found.items()}


def _check_cpus(cpus: tuple[int, ...] | None) -> None:
    if cpus is None:
        return
    if not hasattr(os, "sched_getaffinity"):
        raise MeasureError("--cpus; this system cannot pin a process; leave it out")
    allowed = os.sched_getaffinity(0)
    if not cpus or not set(cpus) <= allowed:
        told = ",".join(map(str, sorted(allowed)))
        raise MeasureError(f"--cpus {','.join(map(str, cpus)) or 'none'}; this process may use {told}; choose of these")
