"""Trials in columns, their words as numbers: what most of an answer consists of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.dashboard.followed import FollowedStudy, Group
from bench.dashboard.telling import counts, numbers
from bench.report.points import KINDS


def rows_document(
    group: Group, followed: FollowedStudy, rows: NDArray[np.int64], trial_ids: list[int]
) -> dict[str, Any]:
    """Columns of equal length; the group knows the architectures of these trials."""
    points = followed.points
    columns, kinds, infeasible = points.columns, points.kinds(), points.infeasible
    chosen = rows.tolist()
    figures = [columns.score, *columns.costs]
    return {
        "number": counts(columns.column("number")[rows]),
        "trial": trial_ids,
        "id": [columns.architecture_ids[row] for row in chosen],
        "name": [columns.names[row] for row in chosen],
        "source": _recoded(group, "source", columns.sources, columns.column("source")[rows]),
        "status": counts(columns.column("status")[rows]),
        "reason": [columns.reasons[row] for row in chosen],
        "kind": [KINDS[code] for code in kinds[rows].tolist()],
        "rung": counts(columns.column("rung")[rows], unknown=-1),
        "images": counts(columns.column("images")[rows]),
        "seconds": numbers(columns.column("known_s")[rows]),
        "values": {name: numbers(columns.figure(name)[rows]) for name in figures},
        "low": {name: numbers(columns.column(f"low {name}")[rows]) for name in columns.latencies},
        "high": {name: numbers(columns.column(f"high {name}")[rows]) for name in columns.latencies},
        "verdict": {
            name: _recoded(group, "verdict", columns.verdicts, columns.column(f"verdict {name}")[rows])
            for name in columns.latencies
        },
        "infeasible": [infeasible[row] for row in chosen],
        "choices": group.book.columns(trial_ids),
    }


def _recoded(group: Group, kind: str, words: dict[str, int], codes: NDArray[Any]) -> list[int | None]:
    """Numbers of a study's own words as those of the vocabulary that it shares with its baselines."""
    shared = group.words[kind]
    table = [shared.setdefault(word, len(shared)) for word in words]
    return [None if code < 0 else table[code] for code in codes.tolist()]
