"""Measurements and sessions with chosen latencies: what a reproduction tells of them is real, the timing is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import MeasureError
from bench.measure import Measurement
from bench.measure.measurement import Samples
from bench.networks.models import Model
from bench.reproduce.sessions import Session
from bench.study.conditions import Conditions
from bench.study.models import Named

PLACE = "cpu, onnxruntime"
REFERENCE_MS = 10.0
BLOCKS, RUNS = 4, 3


def measurement(
    label: str,
    ms: float,
    *,
    restarts: int = 6,
    noise: float = 0.001,
    twin: float = 1.0,
    verdict: str = "valid",
    reason: str | None = None,
    resolution: int = 256,
    runner: str = "cpu",
    runtime: str = "onnxruntime",
    machine: Mapping[str, Any] | None = None,
    gpus: Sequence[Mapping[str, Any]] = (),
    memory_mib: float | None = 40.0,
) -> Measurement:
    """Restarts around `ms`, beside a reference of `REFERENCE_MS` and a twin that takes `twin` times as long."""
    random = np.random.default_rng(0)

    def samples(middle_ms: float, spread: float) -> Samples:
        around = np.exp(random.normal(0, spread, (restarts, 1, 1)) + random.normal(0, 0.0005, (restarts, BLOCKS, RUNS)))
        values = np.round(middle_ms * 1e6 * around).astype(int)
        return tuple(tuple(tuple(int(run) for run in block) for block in process) for process in values)

    is_timed = verdict not in ("failed", "wrong_output")
    return Measurement(
        label=label,
        architecture_id=None,
        artifact_sha256="0" * 64,
        runner=runner,
        runtime=runtime,
        threads=1,
        resolution=resolution,
        samples=samples(ms, noise) if is_timed else (),
        reference_samples=samples(REFERENCE_MS, 0.0) if is_timed else (),
        twin_samples=samples(REFERENCE_MS * twin, 0.0) if is_timed else (),
        contended=((False,) * BLOCKS,) * restarts if is_timed else (),
        verdict=verdict,
        reason=reason,
        fingerprint={
            "machine": {"cpu": "a CPU", **(machine or {})},
            "gpus": list(gpus),
            "reference": {"resolution": 256},
        },
        protocol={
            "restarts": 3,
            "most_restarts": 12,
            "target": 0.02,
            "limit_s": 40.0,
            "seed": 0,
            "processes": [{"memory_mib": memory_mib}],
        },
        session="one",
    )


def session(*measurements: Measurement, place: str = PLACE) -> Session:
    return Session(place=place, measurements={found.label: found for found in measurements})


class Timing:
    """Stands in for `bench.study.measuring.measure_models`: chosen milliseconds by label, 10 ms for the others.

    Attributes:
        asked: of each session, the labels and the conditions.
        refused: labels that cannot be timed at all: a session with one of them is an error.
        failed: labels that are in a session without figures.
    """

    def __init__(self, ms: Mapping[str, float] | None = None, **how: Any) -> None:
        self._ms = ms or {}
        self._how = how
        self.asked: list[tuple[tuple[str, ...], Conditions]] = []
        self.refused: set[str] = set()
        self.failed: set[str] = set()

    def __call__(
        self,
        models: Sequence[Named],
        conditions: Conditions,
        *,
        progress: Callable[[int, int], None] | None = None,
        announce: Callable[[str], None] | None = None,
    ) -> tuple[Measurement, ...]:
        labels = [label for model in models for label in _labels(model, conditions)]
        self.asked.append((tuple(labels), conditions))
        for label in labels:
            if label in self.refused:
                raise MeasureError(f"{label!r} cannot be exported; another; take it")
        return tuple(self._of(label, model, conditions) for model in models for label in _labels(model, conditions))

    def _of(self, label: str, model: Named, conditions: Conditions) -> Measurement:
        assert not isinstance(model, Path)
        found = measurement(
            label, self._ms.get(label, 10.0), resolution=model.resolution, runner=conditions.runner, **self._how
        )
        if label in self.failed:
            return measurement(label, 0.0, verdict="failed", reason="it hung", resolution=model.resolution)
        return found


def _labels(model: Named, conditions: Conditions) -> list[str]:
    assert not isinstance(model, Path)
    if not isinstance(model, Model):
        return [model.label]
    return [model.label if form == "deploy" else f"{model.label} ({form} form)" for form in conditions.forms]
