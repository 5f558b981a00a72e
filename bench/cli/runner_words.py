"""What `bench runners` says of a runner, in words for a terminal."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.agent.answers import printable
from bench.content import folder
from bench.errors import ContentError
from bench.fleet.states import AttemptState, RunnerState, ago

_LONGEST_TEXT = 200
HEADING = ("runner", "status", "device", "OS", "runtimes", "last seen", "queue", "A/A noise", "temperature")


ATTEMPTS_HEADING = ("started (UTC)", "took", "job", "attempt", "files", "outcome", "reason")


def agent_path() -> Path:
    """The one file that a device runs.

    Raises:
        ContentError: it is not there.
    """
    path = folder("runners") / "agent.py"
    if not path.is_file():
        raise ContentError(f"{path} is missing; it is shipped with bench; install bench again")
    return path


def register_lines(name: str, enrolment: str, expires_s: float, *, is_here: bool, where: str) -> Iterator[str]:
    """How a device becomes the runner `name`, to be copied line by line.

    Args:
        enrolment: the variable that the agent enrols with, as a shell takes it.
        expires_s: that it is good for.
        is_here: whether the hub answers on this machine only, so that the agent can run nowhere else.
        where: the flag that names the database, or nothing.
    """
    agent, within = shlex.quote(str(agent_path())), f"within {expires_s / 60:.0f} minutes (the code is good once)"
    if is_here:
        # This interpreter has the runtimes that measure here.
        start = f"{shlex.quote(sys.executable)} {agent}"
        yield "this hub answers on this machine only; for a device elsewhere end it, start it with"
        yield f"  bench hub serve --host ADDRESS{where}"
        yield f"and register {name} again; for this machine, or a phone attached to it, start the agent {within}:"
    else:
        start = "python3 agent.py"
        yield f"copy the agent to the device:  scp {agent} DEVICE:"
        yield f"start it there {within}:"
    yield f"  {enrolment} {start}"
    yield f"later starts:  {start} {name}"


def row(state: RunnerState) -> Sequence[str]:
    """Of the list of runners."""
    return (
        state.name,
        state.shown_status,
        device_of(_mapping(state.capabilities.get("device"))),
        system_of(_mapping(state.capabilities.get("device"))),
        ", ".join(map(_text, _mapping(state.capabilities.get("runtimes")))) or "-",
        ago(state.last_seen_s),
        str(state.queue),
        noise_of(state.noise),
        temperature_of(state.health),
    )


def details(state: RunnerState) -> list[Sequence[str]]:
    """Everything as pairs of name and value."""
    told: list[tuple[str, str]] = [("status", state.shown_status)]
    if state.reason:
        told.append(("reason", _text(state.reason)))
    device = _mapping(state.capabilities.get("device"))
    told += [
        ("kind", _text(state.capabilities.get("kind", "-"))),
        ("driver", _text(state.capabilities.get("driver", "-"))),
        ("device", device_of(device)),
        ("OS", system_of(device)),
        ("last seen", ago(state.last_seen_s)),
        ("queue", str(state.queue)),
        ("A/A noise", noise_of(state.noise)),
    ]
    for name, runtime in _mapping(state.capabilities.get("runtimes")).items():
        versions = _mapping(_mapping(runtime).get("versions"))
        texts = (f"{_text(package)} {_text(version)}" for package, version in versions.items() if version)
        told.append((f"runtime {_text(name)}", ", ".join(texts) or "-"))
    told += [(_text(name).replace("_", " "), _text(value)) for name, value in state.health.items()]
    for title, name in (("agent", "agent"), ("its Python", "python")):
        told.append((title, _text(state.capabilities.get(name, "-"))))
    told.append(("id", state.id))
    return [tuple(pair) for pair in told]


def attempt_row(attempt: AttemptState) -> Sequence[str]:
    """Of the list of what a runner was given last."""
    seconds = attempt.seconds
    is_kind_new = attempt.kind is not None and attempt.kind != attempt.status
    return (
        _text(attempt.started_at)[:16].replace("T", " "),
        "-" if seconds is None else f"{seconds:.1f} s",
        _text(attempt.job_id)[:8] + (" (test)" if attempt.is_test else ""),
        _text(attempt.number),
        _text(attempt.num_files),
        _text(attempt.status) + (f" ({_text(attempt.kind)})" if is_kind_new else ""),
        _text(attempt.reason or "-"),
    )


def device_of(device: Mapping[str, Any]) -> str:
    """A model, a GPU or a CPU, as its agent names it."""
    gpus = device.get("gpus")
    gpu = _mapping(gpus[0]).get("name") if isinstance(gpus, (list, tuple)) and gpus else None
    names = (device.get("model"), gpu, device.get("cpu"), device.get("architecture"))
    return next((_text(name) for name in names if name), "-")


def system_of(device: Mapping[str, Any]) -> str:
    """The system, as its agent names it."""
    names = (device.get("distribution"), device.get("os"), device.get("system"))
    return next((_text(name) for name in names if name), "-")


def noise_of(noise: Mapping[str, Any] | None) -> str:
    """By how much the reference differed from itself in the last session that tried."""
    floor = None if noise is None else noise.get("floor")
    return "-" if floor is None else f"{100 * float(floor):.1f} %"


def temperature_of(health: Mapping[str, Any]) -> str:
    """The highest that the device told last."""
    told = (health.get(name) for name in ("celsius", "gpu_celsius"))
    degrees = [float(value) for value in told if isinstance(value, (int, float)) and not isinstance(value, bool)]
    return f"{max(degrees):.0f} C" if degrees else "-"


def _mapping(value: Any) -> Mapping[str, Any]:
    """What an agent tells may have any shape: another project's, or somebody's who means ill."""
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    """In one line, without what would move the cursor."""
    return printable(str(value))[:_LONGEST_TEXT]
