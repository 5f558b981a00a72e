"""The filter of a page over all trials of a study, where the page holds a part of them.

The language is that of `dashboards/filter.js` (`latency_ms<12 depth>=3 status=failed mixer~att t8`), read in the same
way; a test of the page holds the two together. Figures are compared as the page knows them, with seven digits.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.dashboard.followed import Group
from bench.dashboard.telling import counts, numbers
from bench.errors import ConfigError, nearest
from bench.report.columns import STATUSES
from bench.report.points import KINDS
from bench.store import Reader

Mask = NDArray[np.bool_]

_TERM = re.compile(r"([A-Za-z_][\w.:-]*?)(<=|>=|!=|<|>|=|~)(.+)", re.ASCII | re.DOTALL)
_AROUND = re.compile(r"\s*(<=|>=|!=|<|>|=|~)\s*")
# What JavaScript's Number() takes of what people write.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}


def passing(group: Group, reader: Reader, text: str) -> Mask:
    """Mask of the trials of a refreshed group's study that pass all terms; its lock is held.

    Raises:
        ConfigError: an unknown name, or a comparison with what is no number.
        StoreError: the database cannot be read.
    """
    columns = _Columns(group, reader)
    mask = np.ones(len(group.study.points.columns), dtype=bool)
    for part in _AROUND.sub(r"\1", text.strip()).split():
        match = _TERM.fullmatch(part)
        if match is None:
            mask &= [part.lower() in words for words in columns.words()]
        else:
            mask &= _term(columns, part, *match.groups())
    return mask


def _term(columns: _Columns, part: str, name: str, sign: str, value: str) -> Mask:
    found = columns.named(name)
    if not found:
        known = columns.names()
        raise ConfigError(
            f"unknown name {name[:40]}; known: {', '.join(known[:8])}, ...{nearest(name[:40], known) or '; correct it'}"
        )
    number = float(value) if _NUMBER.fullmatch(value.strip()) else None
    if number is None and ("<" in sign or ">" in sign):
        raise ConfigError(f"{part[:40]}: {value[:20]} is no number; {sign} compares numbers; use = or ~ for words")
    mask = np.zeros(columns.length, dtype=bool)
    for column in found:
        mask |= [_holds(each, sign, value.lower(), number) for each in column]
    return mask


def _holds(value: Any, sign: str, text: str, number: float | None) -> bool:
    if value is None:
        return False
    if sign == "~":
        return text in _spelled(value)
    if number is not None and isinstance(value, int | float) and not isinstance(value, bool):
        return bool(_COMPARE[sign](value, number))
    return bool(_COMPARE[sign](_spelled(value), text))


def _spelled(value: Any) -> str:
    """As JavaScript's String() has it, in small letters."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return str(value).lower()


class _Columns:
    """The columns that a filter may name, each made when it is named."""

    def __init__(self, group: Group, reader: Reader) -> None:
        self._group, self._reader = group, reader
        self._points = group.study.points
        self.length = len(self._points.columns)
        held = self._points.columns
        status, source = list(STATUSES), list(held.sources)
        self._made: dict[str, Callable[[], Sequence[Any]]] = {
            **{name: self._figure(name) for name in (held.score, *held.costs)},
            "number": lambda: counts(held.column("number")),
            "trial": lambda: counts(held.column("trial_id")),
            "id": lambda: held.architecture_ids,
            "name": lambda: held.names,
            "reason": lambda: held.reasons,
            "kind": lambda: [KINDS[code] for code in self._points.kinds().tolist()],
            "rung": lambda: counts(held.column("rung"), unknown=-1),
            "images": lambda: counts(held.column("images")),
            "seconds": lambda: numbers(held.column("known_s")),
            "infeasible": lambda: self._points.infeasible,
            "source": lambda: [source[code] for code in held.column("source").tolist()],
            "status": lambda: [status[code] for code in held.column("status").tolist()],
        }

    def named(self, name: str) -> list[Sequence[Any]]:
        """Columns of a name, or of a name's end: `depth` of all stages, `latency_ms` of all runners."""
        if name == "verdict":
            return [self._verdict(each) for each in self._points.columns.latencies]
        if name in self._made:
            return [self._made[name]()]
        ends = [made for other, made in self._made.items() if other.startswith(f"{name}:")]
        return [made() for made in ends] or self._choices(name)

    def names(self) -> list[str]:
        return [*self._made, *self._group.book.names()]

    def words(self) -> list[str]:
        """What a word without an operator is looked for in."""
        told = [self._made[name]() for name in ("number", "name", "id", "source", "status", "kind")]
        return [
            f"#{number} {name or ''} {key} {source} {status} {kind}".lower()
            for number, name, key, source, status, kind in zip(*told, strict=True)
        ]

    def _figure(self, name: str) -> Callable[[], Sequence[Any]]:
        return lambda: numbers(self._points.columns.figure(name))

    def _verdict(self, latency: str) -> Sequence[Any]:
        held = self._points.columns
        words = [*held.verdicts, None]  # -1 of what was not timed
        return [words[code] for code in held.column(f"verdict {latency}").tolist()]

    def _choices(self, name: str) -> list[Sequence[Any]]:
        """Of the architectures of all trials, which are read from the database the first time."""
        ids = self._points.columns.column("trial_id").tolist()
        self._group.read_choices(self._reader, ids)
        listed = {each["name"]: each["values"] for each in self._group.book.listed()}
        exact = [name] if name in listed else [other for other in listed if other.endswith(f".{name}")]
        if not exact:
            return []
        places = self._group.book.columns(ids)
        return [[None if place is None else listed[each][place] for place in places[each]] for each in exact]
