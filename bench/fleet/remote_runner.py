"""Finds a registered runner by its name, and what can be used on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from bench.agent.artifact_files import FILE_FORMATS, FOLDER_FORMATS
from bench.errors import FleetError, MeasureError, nearest
from bench.fleet.client import HubClient
from bench.measure.catalogue import DEFAULT_RUNTIME, RUNTIMES


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteRunner:
    """A registered runner that can be used.

    Attributes:
        name: of the runner.
        kind: of the device: "cpu", "cuda" or "apple".
        runtimes: what its agent told of each, by names of `catalogue.RUNTIMES`.
        default_runtime: where nothing else is asked for.
        device: what its agent told of the device.
    """

    name: str
    kind: str
    runtimes: Mapping[str, Any]
    default_runtime: str
    device: Mapping[str, Any]

    def resolve(self, runtime: str | None) -> str:
        """The runtime that is used when `runtime` is asked for; None: the usual one.

        Raises:
            MeasureError: the runner does not have it.
        """
        chosen = runtime or self.default_runtime
        if chosen not in self.runtimes:
            known = ", ".join(self.runtimes)
            hint = nearest(chosen, self.runtimes) or f"; choose one of them, or install it on {self.name!r}"
            raise MeasureError(f"runner {self.name!r} has no runtime {chosen!r}; it has {known}{hint}")
        return chosen


def is_local(runner: str) -> bool:
    """Whether it is a runner of this machine, by its name alone: registered ones have others."""
    return runner in DEFAULT_RUNTIME


def find_runner(client: HubClient, name: str, *, is_test: bool = False) -> RemoteRunner:
    """The registered runner of that name, if it can be used now or when it is back.

    Args:
        is_test: it may be quarantined.

    Raises:
        FleetError: no such runner, it is quarantined, or its agent told of nothing that can be used here.
    """
    states = {state.name: state for state in client.runners()}
    if name not in states:
        raise FleetError(unknown_runner(name, states))
    state = states[name]
    if not is_test and (reason := state.why_unusable):
        raise FleetError(reason)
    kind = str(state.capabilities.get("kind"))
    told = state.capabilities.get("runtimes") or {}
    runtimes = {runtime: told[runtime] for runtime in told if _is_usable(runtime, kind, told[runtime])}
    if not runtimes:
        raise FleetError(
            f"runner {name!r} ({kind}) has no runtime that this version knows; known: {', '.join(RUNTIMES)}; "
            "install one there and start its agent again"
        )
    usual = DEFAULT_RUNTIME[kind]
    return RemoteRunner(
        name=name,
        kind=kind,
        runtimes=runtimes,
        default_runtime=usual if usual in runtimes else next(iter(runtimes)),
        device=state.capabilities.get("device") or {},
    )


def unknown_runner(name: str, registered: Collection[str]) -> str:
    """One line that says which runners there are."""
    known = (*DEFAULT_RUNTIME, *registered)
    hint = nearest(name, known) or f"; register it with `bench runners register {name}`"
    return (
        f"unknown runner {name!r}; this machine's are {', '.join(DEFAULT_RUNTIME)}, registered: "
        f"{', '.join(registered) or 'none'}{hint}"
    )


def _is_usable(runtime: str, kind: str, told: Mapping[str, Any]) -> bool:
    """Whether this version makes files that the runtime of that device reads, and that may travel."""
    known = RUNTIMES.get(runtime)
    if known is None or kind not in known.runners or known.formats[0] not in (*FILE_FORMATS, *FOLDER_FORMATS):
        return False
    return known.formats[0] in told.get("formats", known.formats)
