"""What stands near a trial: the named network that it is told against, and trials that differ from it in one word."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.dashboard.baselines_document import baselines_differences
from bench.dashboard.followed import Group
from bench.dashboard.telling import number
from bench.report.points import StudyPoints
from bench.store import ACCURACY, SCORES, SUPERNET, Reader

_NEIGHBOURS = 8
# Neighbours are looked for among so many trials at most, the nearest in number.
_LOOKED_AT = 1000
# As the page writes it; a hyphen is shorter than the plus beside it.
_MINUS = "\N{MINUS SIGN}"


def nearest_document(group: Group, reader: Reader, points: StudyPoints, row: int) -> dict[str, Any] | None:
    """The baseline, else the reference point, nearest in the objectives, each relative to the trial's own."""
    own = points.columns.points()[row]
    baselines = group.baselines
    candidates: list[tuple[StudyPoints, bool]] = []
    if baselines is not None and not baselines_differences(group, reader):
        candidates.append((baselines.points, True))
    candidates.append((group.study.points, False))
    if np.isnan(own).any():
        return None
    for other, is_baseline in candidates:
        if other.columns.study.objectives.keys() != points.columns.study.objectives.keys():
            continue
        values = other.values
        named = [
            place
            for place, name in enumerate(other.columns.names)
            if name is not None
            and not np.isnan(values[place]).any()
            and other.columns.architecture_ids[place] != points.columns.architecture_ids[row]
        ]
        if not named:
            continue
        scale = np.where(own == 0, 1.0, np.abs(own))
        place = min(named, key=lambda place: float((((values[place] - own) / scale) ** 2).sum()))
        return _difference(points, own, other, place, is_baseline=is_baseline)
    return None


def _difference(points: StudyPoints, own: Any, other: StudyPoints, place: int, *, is_baseline: bool) -> dict[str, Any]:
    values = other.values[place]
    told_of: dict[str, Any] = {}
    words: list[str] = []
    for objective, mine, theirs in zip(points.columns.objectives, own.tolist(), values.tolist(), strict=True):
        if objective.name in SCORES:
            told_of[objective.name] = number(mine - theirs)
            is_accuracy = objective.name in (ACCURACY, SUPERNET)
            words.append(f"{100 * (mine - theirs):+.1f} points" if is_accuracy else f"{mine - theirs:+.3f}")
        elif theirs:
            told_of[objective.name] = number(mine / theirs - 1)
            words.append(f"{100 * (mine / theirs - 1):+.1f} %")
        else:
            continue
        words[-1] = f"{words[-1].replace('-', _MINUS)} {objective.short}"
    name = other.columns.names[place]
    return {
        "name": name,
        "number": int(other.columns.column("number")[place]),
        "is_baseline": is_baseline,
        "differences": told_of,
        "text": f"Against {name}: {', '.join(words)}",
    }


def neighbours_document(group: Group, reader: Reader, points: StudyPoints, row: int) -> list[dict[str, Any]]:
    """Trials that differ in one word, the nearest in number first."""
    columns = points.columns
    near = range(max(0, row - _LOOKED_AT // 2), min(len(columns), row + _LOOKED_AT // 2 + 1))
    rows = sorted(near, key=lambda other: abs(other - row))
    ids = columns.column("trial_id")
    group.read_choices(reader, [int(ids[other]) for other in rows])
    mine = group.book.words(int(ids[row]))
    found: list[dict[str, Any]] = []
    for other in rows[1:]:
        if len(found) == _NEIGHBOURS:
            break
        theirs = group.book.words(int(ids[other]))
        words = [name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)]
        if len(words) == 1:
            found.append({"number": int(columns.column("number")[other]), "trial": int(ids[other]), "words": words})
    return found
