"""A session of measuring: models timed interleaved beside one pinned FastViT-T8, and what can be told of it.

All sessions of a reproduction have the reference at one resolution, whatever the models' own, so that the ratios to it
compare between sessions. Milliseconds belong to their session.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.errors import ExportError, FoldError, MeasureError, MissingExtra, NetworkError, SpaceError
from bench.measure import Comparison, Measurement, compare, fingerprint, summarise
from bench.measure.stats import kept_of, noise_floor
from bench.reproduce.work import Work
from bench.study.conditions import Conditions
from bench.study.measuring import measure_models
from bench.study.models import Named
from bench.version import __version__

REFERENCE_PX = 256
REFERENCE = f"FastViT-T8 at {REFERENCE_PX} px"
# With fewer restarts no interval is told: it would know nothing of what a restart changes.
LEAST_RESTARTS = 3
# What keeps models from being timed. A store that cannot be written is none of it: that ends a run.
UNTIMED = (ExportError, FoldError, MeasureError, MissingExtra, NetworkError, SpaceError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Models that were timed interleaved.

    Attributes:
        place: where and with what, in words.
        measurements: by the label of each model.
    """

    place: str
    measurements: Mapping[str, Measurement]

    @property
    def first(self) -> Measurement:
        """The model that the others are compared with."""
        return next(iter(self.measurements.values()))

    def ratio(self, label: str) -> Comparison | None:
        """How many times the first model's latency `label` takes; None where one of them has no figures."""
        other = self.measurements[label]
        return compare(self.first, other) if self.first.has_figures and other.has_figures else None

    def milliseconds(self, label: str) -> float | None:
        """Median latency of `label`."""
        found = self.measurements[label]
        return summarise(found).median_ms if found.has_figures else None

    def memory_mib(self, label: str) -> float | None:
        """Peak resident memory of a run of `label`; None on a GPU, whose own memory that is not."""
        found = self.measurements[label]
        return None if found.device_kind == "cuda" else found.memory_mib

    @property
    def noise_floor(self) -> float | None:
        """By how much the reference timed twice differed from itself, as a share; None where it was timed once."""
        floors = [noise_floor(found) for found in self.measurements.values() if found.has_figures]
        return max((floor for floor in floors if floor is not None), default=None)

    def remark(self, labels: Iterable[str]) -> str:
        """How far to believe it, in words: restarts, the verdict of each of `labels`, what it cannot tell apart."""
        known = {label: self.measurements[label] for label in labels}
        made = min(len(found.samples) for found in known.values())
        verdicts = ", ".join(f"{label} {found.verdict}" for label, found in known.items())
        floor = "" if self.noise_floor is None else f", noise floor {100 * self.noise_floor:.1f} %"
        return f"{counted(made)}: {verdicts}{floor}"

    def protocol(self) -> dict[str, Any]:
        """The numbers of the session as plain data: what was asked for, and what was done."""
        asked = {name: self.first.protocol.get(name) for name in ("most_restarts", "target", "limit_s", "seed")}
        reference = self.first.fingerprint.get("reference") or {}
        return {
            "place": self.place,
            "least_restarts": self.first.protocol.get("restarts"),
            **asked,
            "reference_resolution": reference.get("resolution"),
            "restarts": {label: len(found.samples) for label, found in self.measurements.items()},
            "verdicts": {label: found.verdict for label, found in self.measurements.items()},
            "noise_floor": self.noise_floor,
        }


def time_together(models: Sequence[Named], conditions: Conditions, work: Work) -> Session:
    """One session of all models; each measurement is kept.

    Raises:
        BenchError: one of `UNTIMED` where they cannot be timed here; another where the store cannot be written.
    """
    pinned = replace(conditions, reference_resolution=REFERENCE_PX)
    measurements = measure_models(models, pinned, progress=work.progress, announce=work.announce)
    for measurement in measurements:
        work.keep(measurement)
    return Session(
        place=place_of(conditions), measurements={measurement.label: measurement for measurement in measurements}
    )


def place_of(conditions: Conditions) -> str:
    """Where and with what something is timed, in words."""
    setups = conditions.setups()
    return f"{conditions.runner}, " + " and ".join(setup.name for setup in setups)


def circumstances(places: Sequence[Conditions]) -> dict[str, Any]:
    """The fingerprint of a report: machine and software, and under `places` what is timed with in each."""
    timed = {place_of(place): place.circumstances() for place in places}
    return {**fingerprint(), "bench": __version__, "places": timed}


def as_plain(measurement: Measurement) -> dict[str, Any]:
    """Label, milliseconds and the ratio to the reference with its interval, for a chart."""
    plain: dict[str, Any] = {"name": measurement.label, "verdict": measurement.verdict}
    if not measurement.has_figures:
        return {**plain, "reason": measurement.reason}
    summary = summarise(measurement)
    return {
        **plain,
        "ms": summary.median_ms,
        "low_ms": summary.low_ms,
        "high_ms": summary.high_ms,
        "ratio_to_t8": summary.ratio_to_reference,
        "ratio_low": summary.ratio_low,
        "ratio_high": summary.ratio_high,
        "restarts": num_restarts(measurement),
    }


def latency_words(measurement: Measurement) -> str:
    """Milliseconds and ratio to the reference with their intervals."""
    summary, restarts = summarise(measurement), num_restarts(measurement)
    if restarts < LEAST_RESTARTS:
        told = f"{summary.median_ms:.2f} ms, {summary.ratio_to_reference:.3f} x {REFERENCE}"
        return f"{told} (of {counted(restarts)}, no interval)"
    return (
        f"{summary.median_ms:.2f} ms [{summary.low_ms:.2f}, {summary.high_ms:.2f}], "
        f"{summary.ratio_to_reference:.3f} [{summary.ratio_low:.3f}, {summary.ratio_high:.3f}] x {REFERENCE}"
    )


def within(middle: float, low: float, high: float, *, restarts: int, digits: int = 2, unit: str = "") -> str:
    """A figure with its interval, or with the number of restarts where they are too few for one."""
    if restarts < LEAST_RESTARTS:
        return f"{middle:.{digits}f}{unit} (of {counted(restarts)}, no interval)"
    return f"{middle:.{digits}f}{unit} [{low:.{digits}f}, {high:.{digits}f}]"


def pair_words(pair: Comparison) -> str:
    """The verdict of a pair; of too few restarts there is none."""
    return pair.verdict if pair.num_restarts >= LEAST_RESTARTS else "too few restarts to say more"


def counted(restarts: int) -> str:
    """`1 restart`, `2 restarts`."""
    return f"{restarts} restart" + ("" if restarts == 1 else "s")


def num_restarts(measurement: Measurement) -> int:
    """Processes that count."""
    return sum(bool(blocks) for blocks in kept_of(measurement))
