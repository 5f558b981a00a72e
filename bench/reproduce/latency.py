"""Latency of a published model beside its opponents, and what the published latencies say of it.

A published latency is of a device; only that device can confirm or contradict it. What is measured here is told beside
it and never judged against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.measure import Comparison, Measurement, compare, summarise
from bench.measure.protocol import Progress
from bench.reproduce.findings import Finding, not_run
from bench.reproduce.published import Figure, claims, figures
from bench.study.measuring import Conditions, measure_models
from bench.study.models import Named, find_model, reference_points

Announce = Callable[[str], None]
Keep = Callable[[Measurement], None]

_NUM_OPPONENTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Models that were timed interleaved, by the label of each."""

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


def time_together(
    models: Sequence[Named], conditions: Conditions, *, keep: Keep, announce: Announce, progress: Progress | None
) -> Session:
    """One session of all models; each measurement is handed to `keep`."""
    measurements = measure_models(models, conditions, progress=progress, announce=announce)
    for measurement in measurements:
        keep(measurement)
    return Session(measurements={measurement.label: measurement for measurement in measurements})


def opponents(name: str) -> tuple[str, ...]:
    """Whom a model was published against: its claims' opponents, then those of other families nearest in top-1."""
    points = reference_points()
    found = [
        claim.opponent if claim.model == name else claim.model
        for claim in claims()
        if name in (claim.model, claim.opponent)
    ]
    found = [other for other in dict.fromkeys(found) if other in points]
    own = top1(name)
    if own is None:
        return tuple(found)
    strangers = [
        (abs(theirs - own), other)
        for other, architecture in points.items()
        if architecture.family != points[name].family and (theirs := top1(other)) is not None
    ]
    nearest = [other for _, other in sorted(strangers) if other not in found]
    return (*found, *nearest[: max(0, _NUM_OPPONENTS - len(found))])


def top1(name: str) -> float | None:
    """Published top-1 of the plainly trained network in percent: the released weights' where both are known."""
    found = [figure for figure in figures(name) if figure.quantity == "top1" and figure.training != "distilled"]
    released = [figure for figure in found if "README" in figure.source]
    values = [figure.value for figure in released or found if figure.value is not None]
    return values[0] if values else None


def latency_findings(session: Session, name: str, others: Sequence[str], place: str) -> Iterator[Finding]:
    """The model's milliseconds, its published ones, and the ratio to each opponent."""
    yield _own(session, place)
    published = [figure for figure in figures(name) if figure.quantity == "latency_ms"]
    if published:
        yield Finding(
            quantity="latency elsewhere (ms)",
            published="; ".join(f"{_shown(figure)} ({_circumstances(figure)})" for figure in published),
            verdict=not_run(", ".join(dict.fromkeys(figure.device or "an unnamed device" for figure in published))),
            note="a latency belongs to its device: what was measured here neither confirms nor contradicts it",
            source="; ".join(dict.fromkeys(figure.source for figure in published)),
        )
    for other in others:
        yield _against(session, other, name)


def _own(session: Session, place: str) -> Finding:
    found = session.first
    if not found.has_figures:
        return Finding(quantity=f"latency, {place}", measured=f"{found.verdict}: {found.reason}")
    summary = summarise(found)
    memory = found.memory_mib
    return Finding(
        quantity=f"latency, {place}",
        measured=f"{summary.median_ms:.2f} ms [{summary.low_ms:.2f}, {summary.high_ms:.2f}], "
        f"{summary.ratio_to_reference:.3f} x FastViT-T8",
        note=found.verdict + (f": {found.reason}" if found.reason else ""),
        values={"ms": summary.median_ms, "low_ms": summary.low_ms, "high_ms": summary.high_ms}
        | ({} if memory is None else {"memory_mib": memory}),
    )


def _against(session: Session, other: str, name: str) -> Finding:
    label = next((found for found in session.measurements if found.split("@")[0] == other), None)
    pair = None if label is None else session.ratio(label)
    published = _published_ratio(other, name)
    if pair is None or label is None:
        reason = "" if label is None else session.measurements[label].reason or ""
        return Finding(quantity=f"latency of {other}", published=published[0], measured=f"failed: {reason}")
    milliseconds = session.milliseconds(label)
    return Finding(
        quantity=f"latency of {other}",
        published=published[0],
        measured=f"{milliseconds:.2f} ms, {pair.ratio:.3f} [{pair.low:.3f}, {pair.high:.3f}] x {name}",
        verdict=not_run(published[2]) if published[0] else "",
        note=pair.verdict,
        source=published[1],
        values={"ratio": pair.ratio, "low": pair.low, "high": pair.high, "ms": milliseconds or 0.0},
    )


def _published_ratio(other: str, name: str) -> tuple[str, str, str]:
    """The ratio of two published latencies of one device and batch in words, its source, and the device."""
    for theirs in figures(other):
        for ours in figures(name):
            is_like = (theirs.quantity, theirs.device, theirs.batch) == (ours.quantity, ours.device, ours.batch)
            if theirs.quantity == "latency_ms" and is_like and theirs.device and theirs.value and ours.value:
                statistics = {theirs.statistic or "unstated", ours.statistic or "unstated"}
                told = "" if len(statistics) == 1 else f", {theirs.statistic} against {ours.statistic}"
                words = f"{theirs.value / ours.value:.2f} x {name} on {theirs.device}{told}"
                return words, theirs.source, theirs.device
    return "", "", ""


def _shown(figure: Figure) -> str:
    return "did not run" if figure.value is None else f"{figure.value:.{figure.decimals}f}"


def _circumstances(figure: Figure) -> str:
    parts = (figure.device, figure.runtime, f"batch {figure.batch}" if figure.batch else "", figure.statistic)
    return ", ".join(str(part) for part in parts if part and part != "unstated") or "circumstances not stated"


def place_of(conditions: Conditions) -> str:
    """Where and with what something is timed, in words."""
    setups = conditions.setups()
    return f"{conditions.runner}, " + " and ".join(setup.name for setup in setups)


def named(names: Sequence[str], db: str | None = None) -> list[Named]:
    """The models of these names."""
    return [find_model(name, db=db) for name in names]


def as_plain(measurement: Measurement) -> dict[str, Any]:
    """Label, milliseconds and ratio of a measurement for a chart."""
    if not measurement.has_figures:
        return {"name": measurement.label, "verdict": measurement.verdict, "reason": measurement.reason}
    summary = summarise(measurement)
    return {
        "name": measurement.label,
        "ms": summary.median_ms,
        "low_ms": summary.low_ms,
        "high_ms": summary.high_ms,
        "ratio_to_t8": summary.ratio_to_reference,
        "verdict": measurement.verdict,
    }
