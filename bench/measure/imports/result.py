"""One result that was measured elsewhere, and the care that numbers from other people's files need."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.errors import MeasureError

_NS_PER_MS = 1e6
# A benchmark of a day at a microsecond each has more; no tool keeps them.
_MOST_SAMPLES = 1_000_000
# A run of an hour is a wrong unit.
_LONGEST_MS = 3.6e6


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedResult:
    """What another tool measured of one model.

    Attributes:
        label: of the model, as far as the file names it.
        tool: that measured it.
        tool_version: None: the file does not say.
        device: it ran on; None: the file does not say. Never this machine.
        samples_ns: one for each run, in the file's order; empty where it has only statistics.
        summary: of the runs, in ms: median_ms, mean_ms, min_ms, max_ms, std_ms, p5_ms, p90_ms, ... as far as
            they are known, and of what is no run, as load_ms.
        statistic: what `latency_ms` is, in words: "median of 120 runs".
        precision: in the tool's words.
        compute_units: that the tool was allowed to use.
        placement: operators by the unit that ran them; empty: not told.
        fingerprint: conditions as far as the file tells them.
        notes: what a reader of the number has to know.
    """

    label: str
    tool: str
    summary: Mapping[str, float]
    statistic: str
    tool_version: str | None = None
    device: str | None = None
    samples_ns: tuple[int, ...] = ()
    precision: str | None = None
    compute_units: str | None = None
    placement: Mapping[str, int] = field(default_factory=dict)
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def latency_ms(self) -> float:
        """The headline: the median where it is known, else the mean."""
        return self.summary["median_ms"] if "median_ms" in self.summary else self.summary["mean_ms"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file that is to be read.

    Attributes:
        label: from the file's name, for formats that name no model.
        text: of the file.
        data: what the text is as JSON; None: it is none.
    """

    label: str
    text: str
    data: Any


def parse_json(text: str) -> Any:
    """The text as JSON, None where it is none.

    Raises:
        MeasureError: it nests too deeply, or has NaN or Infinity in it.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise MeasureError("JSON nested too deeply; results of tools are flat; write them again") from error
    except ValueError:
        return None


def milliseconds(value: Any, what: str, *, scale: float = 1.0) -> float:
    """`value` times `scale` as a time in ms.

    Raises:
        MeasureError: it is no number above 0, or longer than an hour.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 < value <= _LONGEST_MS / scale:  # NaN is neither
        raise MeasureError(
            f"{what} is {str(value)[:40]!r}; times above 0 and up to an hour are allowed; export it again"
        )
    return float(value * scale)


def samples(values: Any, what: str, *, scale: float = 1.0) -> tuple[int, ...]:
    """`values` times `scale` ms as nanoseconds.

    Raises:
        MeasureError: they are no list of one or more times.
    """
    if not isinstance(values, Sequence) or isinstance(values, str) or not 0 < len(values) <= _MOST_SAMPLES:
        found = f"{len(values)} values" if isinstance(values, Sequence) else type(values).__name__
        raise MeasureError(f"{what} are {found}; a list of 1 to {_MOST_SAMPLES} times is needed; export them again")
    return tuple(max(1, round(milliseconds(value, what, scale=scale) * _NS_PER_MS)) for value in values)


def summary_of(samples_ns: Sequence[int]) -> dict[str, float]:
    """The statistics of runs, in ms."""
    runs = np.asarray(samples_ns, dtype=np.float64) / _NS_PER_MS
    p5, p50, p90, p95, p99 = (float(value) for value in np.percentile(runs, (5, 50, 90, 95, 99)))
    ends = {"min_ms": float(runs.min()), "max_ms": float(runs.max()), "std_ms": float(runs.std())}
    return {
        "median_ms": p50,
        "mean_ms": float(runs.mean()),
        **ends,
        "p5_ms": p5,
        "p90_ms": p90,
        "p95_ms": p95,
        "p99_ms": p99,
    }


def text_or_none(value: Any) -> str | None:
    """`value` where it is a text that says something, without what would break a line of a table."""
    if not isinstance(value, str) or not value.strip():
        return None
    return " ".join(value.split())[:200]


def base_name(path: Any, fallback: str) -> str:
    """The last part of a path of any system: folders name people."""
    text = text_or_none(path)
    if text is None:
        return fallback
    name = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return name.rpartition(".")[0] or name or fallback


def known(**values: Any) -> dict[str, Any]:
    """Those values that are known."""
    return {name: value for name, value in values.items() if value is not None and value != {} and value != []}


def _refuse(constant: str) -> None:
    raise MeasureError(f"JSON with {constant} in it; numbers are allowed; export the result again")
