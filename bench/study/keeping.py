"""Keeps measurements in the store, those of a study and those outside any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bench.measure import Measurement, summarise
from bench.measure.measurement import samples_of
from bench.store import Store


def keep(store: Store, measurement: Measurement) -> None:
    """Writes a measurement outside any study with its summary and samples."""
    summary = asdict(summarise(measurement)) if measurement.has_figures else {}
    record(store, measurement.to_dict(), summary)


def record(
    store: Store, measurement: Mapping[str, Any], summary: Mapping[str, Any], *, trial_id: int | None = None
) -> None:
    """Writes a measurement as `Measurement.to_dict` gives it."""
    names = ("architecture_id", "runner", "runtime", "threads", "resolution", "artifact_sha256", "verdict", "reason")
    store.record_measurement(
        trial_id=trial_id,
        **{name: measurement[name] for name in names},
        protocol=measurement["protocol"],
        fingerprint=measurement["fingerprint"],
        summary=summary,
        samples=samples_of(measurement),
        label=measurement["label"],
        session=measurement["session"],
    )
