"""A session's measurements as a table and as data: milliseconds, ratios of pairs, verdicts with their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.measure import Comparison, Measurement, compare, summarise
from bench.report.tables import table

_HEADING = ("model", "ms", "95 % interval", "to the first", "95 % interval", "to T8", "verdict")


def session_table(measurements: Sequence[Measurement]) -> str:
    """One row a measurement, then why a verdict is not `valid`, then what the session could tell apart."""
    comparisons = to_first(measurements)
    rows = [
        _row(found, "1" if index == 0 else "-", pair)
        for index, (found, pair) in enumerate(zip(measurements, comparisons, strict=True))
    ]
    lines = [table(_HEADING, rows)]
    lines += [f"{found.label}: {found.verdict}: {found.reason}" for found in measurements if found.reason]
    if floor := _floor(measurements):
        lines.append(floor)
    return "\n".join(lines)


def session_data(measurements: Sequence[Measurement], *, with_samples: bool = False) -> list[dict[str, Any]]:
    """The same for machines."""
    found = []
    for measurement, pair in zip(measurements, to_first(measurements), strict=True):
        data = measurement.to_dict()
        if not with_samples:
            for name in ("samples", "reference_samples", "twin_samples"):
                del data[name]
        summary = asdict(summarise(measurement)) if measurement.has_figures else None
        found.append({**data, "summary": summary, "to_first": None if pair is None else asdict(pair)})
    return found


def to_first(measurements: Sequence[Measurement]) -> list[Comparison | None]:
    """Each measurement against the first of the session, by pairs of blocks; None where one has no figures."""
    if not measurements:
        return []
    first = measurements[0]
    return [
        compare(first, found) if first.has_figures and found.has_figures and index else None
        for index, found in enumerate(measurements)
    ]


def _row(found: Measurement, alone: str, pair: Comparison | None) -> tuple[str, ...]:
    if not found.has_figures:
        return (found.label, "-", "-", "-", "-", "-", found.verdict)
    summary = summarise(found)
    verdict = found.verdict if summary.interval_kind == "full" else f"{found.verdict} (quick)"
    return (
        found.label,
        f"{summary.median_ms:.3f}",
        f"[{summary.low_ms:.3f}, {summary.high_ms:.3f}]",
        alone if pair is None else f"{pair.ratio:.4f} {pair.verdict}",
        "" if pair is None else f"[{pair.low:.4f}, {pair.high:.4f}]",
        f"{summary.ratio_to_reference:.4f}",
        verdict,
    )


def _floor(measurements: Sequence[Measurement]) -> str | None:
    timed = [found for found in measurements if found.has_figures]
    floors = [floor for found in timed if (floor := summarise(found).noise_floor) is not None]
    if not floors:
        return None
    return (
        f"FastViT-T8 timed twice in this session differs from itself by {100 * max(floors):.2f} %; "
        "differences below 1 % or that are not claimed"
    )
