"""The baselines of a study as a page shows them beside it, and when the search passed them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import pareto
from bench.dashboard.followed import FollowedStudy, Group
from bench.dashboard.rows_document import rows_document
from bench.dashboard.telling import number
from bench.report.contrast import objective_points
from bench.report.likeness import differences_in
from bench.report.points import StudyPoints
from bench.store import Reader


def baselines_document(
    group: Group, baselines: FollowedStudy, reader: Reader, rows: NDArray[np.int64], trial_ids: list[int]
) -> dict[str, Any]:
    """The baselines' own study, these of its trials, and what the study's progress is to them."""
    study, record = group.study.points, baselines.points.columns.study
    found = baselines_differences(group, reader)
    numbers_of = baselines.points.columns.column("number")
    return {
        "study": {"id": record.id, "name": record.name, "status": record.status, "reason": record.reason},
        "is_comparable": not found,
        "differences": list(found),
        "rows": rows_document(group, baselines, rows, trial_ids),
        "front": [int(numbers_of[row]) for row in baselines.points.front],
        "hypervolume": number(_hypervolume(study, baselines.points)),
        "milestones": [] if found else _milestones(study, baselines.points),
    }


def baselines_differences(group: Group, reader: Reader) -> tuple[str, ...]:
    """Why the baselines may not stand on the study's front, one line each; empty where they may, or there are none."""
    if group.baselines is None:
        return ()
    return differences_in(reader, group.study.points.columns.study, group.baselines.points.columns.study)


def _hypervolume(study: StudyPoints, other: StudyPoints) -> float | None:
    """Of the other's front against the study's corner."""
    if study.corner is None or study.columns.maximise != other.columns.maximise:
        return None
    rows = np.array(other.front, dtype=np.int64)
    return pareto.hypervolume(other.values[rows], study.corner, maximise=study.columns.maximise)


def _milestones(study: StudyPoints, baselines: StudyPoints) -> list[dict[str, Any]]:
    """When the search's hypervolume passed that of all baselines together, and of each of their front alone."""
    whole = _hypervolume(study, baselines)
    if study.corner is None or whole is None or not baselines.front:
        return []
    values = objective_points(baselines)
    known = np.flatnonzero(~np.isnan(values).any(axis=1))
    goals = [("all baselines", whole)]
    for row in known.tolist():
        alone = pareto.hypervolume(values[row], study.corner, maximise=study.columns.maximise)
        goals.append((baselines.columns.names[row] or baselines.columns.architecture_ids[row], alone))
    progress, found = study.progress(), study.columns.column("number")
    steps = np.array(progress.hypervolume)
    told = []
    for name, goal in goals:
        place = int(np.searchsorted(steps, goal))
        reached = None
        if place < len(steps):
            reached = {
                "number": int(found[progress.rows[place]]),
                "tried": progress.tried[place],
                "seconds": number(progress.seconds[place]),
                "device_seconds": number(progress.device_seconds[place]),
            }
        told.append({"name": name, "hypervolume": number(goal), "reached": reached})
    return told
