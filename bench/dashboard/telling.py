"""Values as the documents have them: seven significant digits, null for what is not known, times in UTC."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.pareto import Floats

# Of all documents; another number means that a page of before cannot read them.
FORMAT = 1
_DIGITS = 7


def number(value: float | None) -> float | int | None:
    """One number; None for NaN and infinity, which JSON has no words for."""
    if value is None or not math.isfinite(value):
        return None
    return value if isinstance(value, int) else float(f"{value:.{_DIGITS}g}")


def numbers(values: Floats) -> list[float | None]:
    """Many numbers, likewise."""
    known = np.isfinite(values) & (values != 0)
    size = np.floor(np.log10(np.abs(np.where(known, values, 1.0))))
    places = _DIGITS - 1 - size
    # Powers of ten up to the 22nd are exact, and a quotient of two exact numbers is the double nearest to its digits.
    up, down = 10.0 ** np.clip(places, 0, 22), 10.0 ** np.clip(-places, 0, 22)
    rounded = np.where(known, np.round(values * up / down) / up * down, values)
    return [None if not math.isfinite(value) else value for value in rounded.tolist()]


def counts(values: NDArray[Any], *, unknown: int | None = None) -> list[int | None]:
    """Whole numbers; `unknown` stands for null."""
    return [None if value == unknown else value for value in values.tolist()]


def told(value: Any) -> Any:
    """Any plain data with its numbers rounded."""
    if isinstance(value, Mapping):
        return {str(name): told(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [told(each) for each in value]
    if isinstance(value, float):
        return number(value)
    return value


def moment(value: datetime | None) -> str | None:
    """A time in UTC, to the second."""
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def flattened(data: Mapping[str, Any], *, prefix: str = "") -> list[list[str]]:
    """Nested data as pairs of a dotted name and a text."""
    pairs: list[list[str]] = []
    for name, value in data.items():
        full = f"{prefix}{name}"
        if isinstance(value, Mapping):
            pairs += flattened(value, prefix=f"{full}.")
        elif value not in (None, "", [], ()):
            pairs.append([full, text_of(value)])
    return pairs


def text_of(value: Any) -> str:
    """One value for people."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(text_of(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def listed(values: Iterable[Any]) -> list[Any]:
    """A list with its numbers rounded."""
    return [told(value) for value in values]
