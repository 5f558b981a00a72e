"""Tries a registered runner with the pinned network: is its output right, and how far apart are equal things?"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bench.fleet.measuring import measure_remotely
from bench.measure import Job, Measurement, make_artifact, shared, summarise
from bench.measure.artifacts import REFERENCE, reference_architecture
from bench.measure.exclusive import cpu_lock_folder
from bench.measure.session import Progress
from bench.measure.stats import noise_floor
from bench.study.conditions import Conditions

RESOLUTION = 256
# The hub puts a runner in quarantine whose reference differs from itself by more.
MOST_NOISE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """What a test job has found.

    Attributes:
        measurement: of FastViT-T8 beside itself.
        runtime: that ran it, with threads and the like.
    """

    measurement: Measurement
    runtime: str

    @property
    def noise(self) -> float | None:
        """Share by which the network differs from itself; None where it was not timed."""
        return noise_floor(self.measurement) if self.measurement.has_figures else None

    @property
    def is_output_right(self) -> bool | None:
        """Whether it computes what it should; None where nobody could tell."""
        if self.measurement.verdict == "wrong_output":
            return False
        is_checked = (self.measurement.protocol.get("output") or {}).get("is_checked")
        return True if self.measurement.has_figures and is_checked else None

    @property
    def is_sound(self) -> bool:
        """Whether the runner can be measured on."""
        is_quiet = self.noise is not None and self.noise <= MOST_NOISE
        return self.measurement.has_figures and self.is_output_right is not False and is_quiet

    def lines(self) -> list[str]:
        """The same in plain words."""
        found = self.measurement
        if not found.has_figures:
            output = "wrong" if self.is_output_right is False else "not known"
            return [f"output: {output}", f"verdict: {found.verdict}: {found.reason}"]
        summary = summarise(found)
        output = "not checked: this runtime's files do not tell it" if self.is_output_right is None else "right"
        noise = "not known" if self.noise is None else f"{100 * self.noise:.1f} %"
        return [
            f"output: {output}{_error(found)}",
            f"A/A noise: {noise} (FastViT-T8 against itself; {100 * MOST_NOISE:.0f} % at most)",
            f"FastViT-T8 at {RESOLUTION} px: {summary.median_ms:.2f} ms [{summary.low_ms:.2f}, {summary.high_ms:.2f}] "
            f"with {self.runtime}",
            f"verdict: {found.verdict}" + (f": {found.reason}" if found.reason else ""),
        ]


def check_up(
    place: Conditions, *, progress: Progress | None = None, announce: Callable[[str], None] = lambda text: None
) -> Checkup:
    """Has a registered runner time FastViT-T8 beside itself, before all that waits for it, quarantined or not.

    Args:
        place: of a registered runner; its first runtime is tried.

    Raises:
        MeasureError: it could not do the job.
        FleetError: the hub refuses it.
    """
    assert place.registered is not None
    setup = place.setups()[0]
    pinned = reference_architecture(RESOLUTION)
    with tempfile.TemporaryDirectory(prefix="bench-checkup-") as folder:
        announce(f"preparing {REFERENCE}")
        with shared(cpu_lock_folder()):
            artifact, _ = make_artifact(
                pinned, Path(folder), REFERENCE, runtime=setup.runtime, precision=setup.precision
            )
        job = Job(
            artifacts=(artifact,),
            reference=replace(artifact, label=f"{REFERENCE} (reference)"),
            resolution=RESOLUTION,
            runner=place.kind,
            runtime=setup.runtime,
            threads=setup.threads,
            precision=setup.precision,
            twin="always",
        )
        (measurement,) = measure_remotely(
            job,
            place.runner,
            place.registered.client,
            progress=progress,
            told=lambda sign: announce(sign.words(place.runner)),
            is_test=True,
        )
    return Checkup(measurement=measurement, runtime=setup.name)


def _error(found: Measurement) -> str:
    errors = [error for error in (found.protocol.get("output") or {}).get("errors") or () if error is not None]
    return f" (relative error {max(errors):.1e})" if errors else ""
