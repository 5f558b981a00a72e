"""Imported results as a table and as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.measure.imports import ImportedResult
from bench.report.tables import table

_HEADING = ("model", "ms", "statistic", "tool", "device", "ran on")


def imported_table(results: Sequence[ImportedResult]) -> str:
    """One row a result, then what a reader has to know of it."""
    rows = [
        (
            result.label,
            f"{result.latency_ms:.3f}",
            result.statistic,
            " ".join(word for word in (result.tool, result.tool_version) if word),
            result.device or "not told",
            ", ".join(f"{unit} {count}" for unit, count in result.placement.items()) or result.compute_units or "-",
        )
        for result in results
    ]
    notes = [f"{result.label}: {note}" for result in results for note in result.notes]
    return "\n".join([table(_HEADING, rows), *notes, "measured elsewhere: compared with nothing measured here"])


def imported_data(results: Sequence[ImportedResult]) -> list[dict[str, Any]]:
    """The same for machines, without the samples."""
    return [
        {key: value for key, value in asdict(result).items() if key != "samples_ns"} | {"latency_ms": result.latency_ms}
        for result in results
    ]
