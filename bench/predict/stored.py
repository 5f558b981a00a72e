"""What a store holds that a latency model of one runner may learn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bench.errors import MeasureError
from bench.measure.fingerprint import same_conditions
from bench.predict.evaluation import Validation, cross_validate
from bench.predict.model import LatencyModel
from bench.space import Architecture

# A disturbed session leaves the ratio to the reference mostly right, and its interval says how far to trust it. The
# others are about another state of the device or another computation.
USABLE_VERDICTS = ("valid", "noisy", "not_converged", "contended")


class Measured(Protocol):
    """What is read of a stored measurement."""

    @property
    def architecture_id(self) -> str | None: ...
    @property
    def resolution(self) -> int: ...
    @property
    def verdict(self) -> str: ...
    @property
    def protocol(self) -> Mapping[str, Any]: ...
    @property
    def fingerprint(self) -> Mapping[str, Any]: ...
    @property
    def summary(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement, as a model learns from it.

    Attributes:
        architecture: what was timed.
        ratio: to the reference network in the same blocks.
        noise: relative half-width of the ratio's 95 % interval.
        resolution: of the input; the reference was timed at the same.
        reference_ms: what the reference took in that session.
    """

    architecture: Architecture
    ratio: float
    noise: float
    resolution: int
    reference_ms: float


def usable(
    records: Iterable[Measured],
    fingerprint: Mapping[str, Any] | None,
    *,
    architectures: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[Sample, ...]:
    """The measurements that were made under one set of conditions and can be learned from.

    Args:
        records: of the store, in any mixture.
        fingerprint: of the runner; records of other conditions are left out, by the entries that it has. That of a
            measurement tells more than a fresh one, such as the precision. None: leaves nothing out.
        architectures: `Architecture.to_dict()` by id, for records whose protocol does not hold it.

    Raises:
        MeasureError: what is left was measured under different conditions.
    """
    fitting = [
        record
        for record in records
        if record.verdict in USABLE_VERDICTS
        # Other forms than the deploy form bear the same architecture, and files of unknown origin none.
        and record.protocol.get("form", "deploy") == "deploy"
        and _architecture(record, architectures or {}) is not None
    ]
    if fingerprint is not None:
        fitting = [record for record in fitting if not same_conditions(_seen(record, fingerprint), fingerprint)]
    _refuse_mixture(fitting)
    found = ((_architecture(record, architectures or {}), record) for record in fitting)
    return tuple(_sample(mapping, record) for mapping, record in found if mapping is not None)


def comparable_ms(samples: Sequence[Sample], reference_ms: Mapping[int, float] | None = None) -> list[float]:
    """Milliseconds that compare across sessions: each ratio times what the reference took at that resolution.

    The milliseconds of one file drift by a third within an hour on a shared machine, its ratio by a percent.

    Args:
        reference_ms: by resolution; None: the median over the sessions of the samples.

    Raises:
        MeasureError: a resolution is not in `reference_ms`.
    """
    sides = {sample.resolution for sample in samples}
    if reference_ms is None:
        reference_ms = {
            side: float(np.median([sample.reference_ms for sample in samples if sample.resolution == side]))
            for side in sides
        }
    for side in sorted(sides - reference_ms.keys()):
        raise MeasureError(
            f"measurements at {side} px; the reference is known at {', '.join(map(str, sorted(reference_ms)))} px; "
            "leave those out, or measure the reference there"
        )
    return [sample.ratio * reference_ms[sample.resolution] for sample in samples]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A model together with its error, so that the one is never shown without the other."""

    model: LatencyModel
    validation: Validation


def calibrate(
    samples: Sequence[Sample], *, reference_ms: Mapping[int, float] | None = None, seed: int = 0
) -> Calibration:
    """The model of `samples` and its cross-validated error, in comparable milliseconds.

    Raises:
        MeasureError: too few different architectures, or as `comparable_ms`.
    """
    architectures = [sample.architecture for sample in samples]
    latencies_ms, noise = comparable_ms(samples, reference_ms), [sample.noise for sample in samples]
    model = LatencyModel.fit(architectures, latencies_ms, noise=noise, seed=seed)
    return Calibration(model=model, validation=cross_validate(architectures, latencies_ms, noise=noise, seed=seed))


class Source(Protocol):
    """A store, as far as it is read here."""

    def all_measurements(self, *, runner: str, runtime: str, threads: int) -> Iterable[Measured]: ...
    def studies(self) -> Iterable[Any]: ...
    def trials(self, study_id: int) -> Iterable[Any]: ...


def fit_from_store(
    store: Source,
    fingerprint: Mapping[str, Any],
    *,
    runner: str | None = None,
    reference_ms: Mapping[int, float] | None = None,
    seed: int = 0,
) -> Calibration:
    """The model of everything that the store holds for one runner, and its error.

    Args:
        fingerprint: of the runner; names runner, runtime and threads as well.
        runner: its name in the store where the fingerprint names the kind of the device: a registered one's.

    Raises:
        MeasureError: as `calibrate`.
    """
    records = store.all_measurements(
        runner=runner or fingerprint["runner"], runtime=fingerprint["runtime"], threads=fingerprint["threads"]
    )
    architectures = {
        trial.architecture_id: trial.architecture for study in store.studies() for trial in store.trials(study.id)
    }
    return calibrate(usable(records, fingerprint, architectures=architectures), reference_ms=reference_ms, seed=seed)


def _seen(record: Measured, fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a record's fingerprint that `fingerprint` has too."""
    return {name: value for name, value in record.fingerprint.items() if name in fingerprint}


def _refuse_mixture(records: Sequence[Measured]) -> None:
    for record in records[1:]:
        differences = same_conditions(records[0].fingerprint, record.fingerprint)
        if differences:
            raise MeasureError(
                f"measurements under different conditions ({differences[0]}); a latency model is of one runner as it "
                "stands; give the fingerprint of one of its measurements"
            )


def _architecture(record: Measured, known: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    told: Mapping[str, Any] | None = record.protocol.get("architecture")
    return told if told is not None else known.get(record.architecture_id or "")


def _sample(mapping: Mapping[str, Any], record: Measured) -> Sample:
    summary = record.summary
    ratio, low, high = (summary[name] for name in ("ratio_to_reference", "ratio_low", "ratio_high"))
    return Sample(
        architecture=Architecture.from_dict(mapping),
        ratio=ratio,
        noise=float(np.sqrt(high / low)) - 1,
        resolution=record.resolution,
        reference_ms=summary["median_ms"] / ratio,
    )
