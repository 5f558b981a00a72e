"""What a page asks of a study's points: parsed and checked here, so that nobody further in has to."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from bench.errors import ConfigError

MOST_DOMINATED = 3000
_LARGEST = 100_000
_MOST_KEPT = 5000
_LONGEST_FILTER = 1000
_CURSOR = re.compile(r"([0-9a-f]{8})-([0-9]{1,15})\.([0-9a-f]{8}-[0-9]{1,15}|-)\.([0-9]{1,12})\.([a-z]{1,5})")
_NUMBERS = re.compile(r"[0-9]{1,9}(,[0-9]{1,9})*")

Window = tuple[float | None, float | None, float | None, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far an answer reached.

    Attributes:
        epoch, sequence: of the study.
        baselines: epoch and sequence of its baselines as text, "-" without any.
        choices: version of the words.
        driven: whether a process ran the study: "true", "false" or "none".
    """

    epoch: str
    sequence: int
    baselines: str
    choices: int
    driven: str

    def __str__(self) -> str:
        return f"{self.epoch}-{self.sequence}.{self.baselines}.{self.choices}.{self.driven}"

    @property
    def baselines_sequence(self) -> int:
        """0 without baselines."""
        return int(self.baselines.rpartition("-")[2] or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Of `/api/studies/{id}/points`.

    Attributes:
        after: None: everything.
        x, y: of the plane; None: the study's second and first objective.
        log: names of the axes whose cells are even in the logarithm, "x" and "y".
        window: that dominated trials are chosen in.
        dominated: how many at most; None: all.
        keep: numbers of trials that have to be there.
        filter: what others have to pass (`filter.passing`); empty: nothing.
    """

    after: Cursor | None = None
    x: str | None = None
    y: str | None = None
    log: frozenset[str] = frozenset()
    window: Window = (None, None, None, None)
    dominated: int | None = MOST_DOMINATED
    keep: frozenset[int] = frozenset()
    filter: str = ""


def parse_question(query: Mapping[str, str]) -> Question:
    """The question of a query; unknown names are left to the page.

    Raises:
        ConfigError: a value that is not allowed.
    """
    return Question(
        after=_cursor(query["after"]) if query.get("after") else None,
        x=query.get("x") or None,
        y=query.get("y") or None,
        log=_log(query.get("log", "")),
        window=_window(query.get("window", "")),
        dominated=_dominated(query.get("dominated", "")),
        keep=_keep(query.get("keep", "")),
        filter=_filter(query.get("filter", "")),
    )


def _cursor(text: str) -> Cursor:
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise ConfigError(f"after={_short(text)}; the cursor of an answer is allowed; ask without it for everything")
    return Cursor(epoch=found[1], sequence=int(found[2]), baselines=found[3], choices=int(found[4]), driven=found[5])


def _log(text: str) -> frozenset[str]:
    axes = frozenset(filter(None, text.split(",")))
    if not axes <= {"x", "y"}:
        raise ConfigError(f"log={_short(text)}; allowed: x, y or x,y; leave it out for linear axes")
    return axes


def _window(text: str) -> Window:
    if not text:
        return (None, None, None, None)
    try:
        ends = [float(part) if part else None for part in text.split(",")]
    except ValueError:
        ends = []
    if len(ends) != 4 or any(end is not None and not math.isfinite(end) for end in ends):
        raise ConfigError(f"window={_short(text)}; allowed: x0,x1,y0,y1, an open end empty; correct it")
    return ends[0], ends[1], ends[2], ends[3]


def _dominated(text: str) -> int | None:
    if text == "all":
        return None
    if not text:
        return MOST_DOMINATED
    if not text.isascii() or not text.isdigit() or len(text) > 6 or int(text) > _LARGEST:
        raise ConfigError(f"dominated={_short(text)}; allowed: 0 to {_LARGEST}, or all; correct it")
    return int(text)


def _keep(text: str) -> frozenset[int]:
    if not text:
        return frozenset()
    found = text.split(",")
    if not _NUMBERS.fullmatch(text) or len(found) > _MOST_KEPT:
        raise ConfigError(
            f"keep={_short(text)}; allowed: up to {_MOST_KEPT} steps from one number of a trial to the next, 3,14 for "
            "3 and 17; correct it"
        )
    return frozenset(accumulate(map(int, found)))


def _filter(text: str) -> str:
    if len(text) > _LONGEST_FILTER:
        raise ConfigError(f"filter={_short(text)}...; at most {_LONGEST_FILTER} letters are read; shorten it")
    return text


def _short(text: str) -> str:
    return ascii(text[:40])
