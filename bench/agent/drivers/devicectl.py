"""An iPhone or iPad on the cable of this Mac, without an app of ours on it: `--driver devicectl --device NAME`.

The fallback, and flagged as such: coremltools passes each input and each output as a file that both sides poll for, so
what is timed is a device that has idled half a second and more, with its clocks down. Every measurement carries
`spacing: "idle"` in its fingerprint, which keeps it from being compared with back-to-back figures; runners/ios is the
way to those. Session, blocks and orders are those of every other runner (`bench.measure.session`), only that the child
process behind them runs the model over there.

What can be tried without a Mac is tried: everything up to the calls of coremltools. Not run here: those.
"""

from __future__ import annotations

import importlib.util
import platform
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.agent import PROTOCOL, VERSION
from bench.agent.drivers import DriverError, Enough, Progress
from bench.agent.drivers.local import check_reference, ended_when
from bench.errors import MeasureError
from bench.measure.catalogue import installed_version
from bench.measure.job import Job, JobArtifact
from bench.measure.measurement import Measurement
from bench.measure.session import record_session

SPACING = "idle"
_CHILD = "bench.agent.drivers.devicectl_child"
_RUNTIME = "coreml"
# A run takes half a second and more of polling: a session has to get by with few.
_MOST_BLOCKS = 4
_MOST_ITERATIONS = 3
# Warm-up would be lost in the pauses: one run.
_WARMUP_MS = 1e-6
# A UDID or a device's name; neither begins like an option.
_IDENTIFIER = re.compile(r"[A-Za-z0-9][^\x00-\x1f\x7f]{0,99}")
_TEAM = re.compile(r"[A-Z0-9]{0,16}")


class DevicectlDriver:
    """One device, driven by coremltools of this Mac."""

    name = "devicectl"

    def __init__(
        self,
        device: str,
        *,
        team: str = "",
        system: str | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        """Takes the settings; the device is looked for when there is a job.

        Args:
            device: name, identifier or UDID, as `xcrun devicectl list devices` tells them.
            team: of Apple's developer account that signs coremltools' app; empty: the one that Xcode takes.
            system: of this host, as `platform.system()` names it; None: as it does.
            command: of the child process; None: the usual one.

        Raises:
            MeasureError: a name or a team that cannot be.
        """
        if not _IDENTIFIER.fullmatch(device) or not _TEAM.fullmatch(team):
            raise MeasureError(
                f"device {device!r} of team {team!r}; a device's name or UDID, and a team of capital letters and "
                "digits, are needed; take them from `xcrun devicectl list devices` and from Xcode"
            )
        self._system = platform.system() if system is None else system
        usual: Sequence[str] = (sys.executable, "-I", "-c", _source(), device, team)
        self._command = tuple(usual if command is None else command)

    def capabilities(self) -> dict[str, Any]:
        """What this host can have timed.

        Raises:
            DriverError: it is no Mac, or has no coremltools.
        """
        version = self._require()
        return {
            "driver": self.name,
            "kind": "apple",
            "device": {"system": "iOS", "spacing": SPACING},
            "runtimes": {
                _RUNTIME: {
                    "versions": {"coremltools": version},
                    "formats": ["mlpackage"],
                    "precisions": ["fp16", "fp32"],
                }
            },
            "checks": [],
            "python": platform.python_version(),
            "agent": VERSION,
            "protocol": PROTOCOL,
        }

    def health(self) -> dict[str, Any]:
        """Nothing: coremltools does not tell the state of the device."""
        return {}

    def run(
        self, job: Job, *, is_enough: Enough, progress: Progress, is_cancelled: Callable[[], bool]
    ) -> tuple[Measurement, ...]:
        """Times every artifact of `job`; one measurement each, in the job's order, not judged.

        Raises:
            DriverError: nothing could be timed, or it was cancelled.
        """
        self._require()
        _check(job)

        def step(done: int, total: int) -> None:
            if is_cancelled():
                raise DriverError("unhealthy", "cancelled")
            progress(done, total)

        with ended_when(is_cancelled):
            found = record_session(_thinned(job), is_enough=is_enough, command=self._command, progress=step)
        check_reference(job, found, lost="device_lost")
        return tuple(_flagged(measurement) for measurement in found)

    def _require(self) -> str:
        if self._system != "Darwin":
            raise DriverError(
                "unsupported", f"this is {self._system}; coremltools reaches a device from macOS only; use a Mac"
            )
        version = installed_version("coremltools")
        if version is None:
            raise DriverError(
                "unsupported", "coremltools is not installed; 9.0 or newer is needed; run pip install coremltools"
            )
        return version


def _source() -> str:
    """The child's program, which may not lie on this disk as a file."""
    found = importlib.util.find_spec(_CHILD)
    assert found is not None  # it is ours
    loader: Any = found.loader
    source: str = loader.get_source(_CHILD)
    return source


def _check(job: Job) -> None:
    for artifact in (job.reference, *job.artifacts):
        setup = job.setup_of(artifact)
        if job.runner != "apple" or setup.runtime != _RUNTIME or artifact.format != "mlpackage":
            raise DriverError(
                "unsupported",
                f"{artifact.label!r} is a {artifact.format} file for {setup.runtime} on {job.runner!r}; this device "
                "times mlpackage files for coreml on 'apple'; send it elsewhere",
            )


def _thinned(job: Job) -> Job:
    """The job with as few runs as half a second each allows. Its files are held to closed lists of names and hashes."""

    def trusted(artifact: JobArtifact) -> JobArtifact:
        return replace(artifact, is_checked=True)

    return replace(
        job,
        reference=trusted(job.reference),
        artifacts=tuple(map(trusted, job.artifacts)),
        blocks=min(job.blocks, _MOST_BLOCKS),
        iterations=min(job.iterations, _MOST_ITERATIONS),
        visit_ms=0.0,
        warmup_window=1,
        warmup_least_ms=0.0,
        warmup_ms=_WARMUP_MS,
        repeats=False,
    )


def _flagged(measurement: Measurement) -> Measurement:
    """Says in the record that a device was timed that idled between runs, and that its own state is not known."""
    loaded: Mapping[str, Any] = measurement.fingerprint.get("loaded") or {}
    fingerprint = {
        **measurement.fingerprint,
        "machine": {"system": "iOS", **(loaded.get("device") or {})},
        "supervisor": measurement.fingerprint.get("machine"),
        "spacing": SPACING,
    }
    # The supervisor has watched this Mac, which is not what was timed.
    windows = [
        [{"blocks": window["blocks"], "others": None, "contention": None, "throttling": None} for window in restart]
        for restart in measurement.protocol["health"]
    ]
    return replace(
        measurement,
        contended=tuple(tuple(False for _ in process) for process in measurement.contended),
        fingerprint=fingerprint,
        protocol={**measurement.protocol, "spacing": SPACING, "health": windows, "checked_by": "hub"},
    )
