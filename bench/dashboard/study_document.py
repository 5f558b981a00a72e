"""What is told of studies apart from their trials: the list of all, and one with its settings and where it ran."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from bench.dashboard.driver import is_driven
from bench.dashboard.followed import Group
from bench.dashboard.study_line import plain_study
from bench.dashboard.telling import FORMAT, flattened, moment, number, told
from bench.pareto import Floats
from bench.report.figure_names import seen_words
from bench.report.points import StudyPoints
from bench.store import BASELINES, Reader, StudyRecord
from bench.version import __version__

_FIRST_SHOWN = 6


def studies_document(
    reader: Reader, records: Sequence[StudyRecord], *, chosen: int | None, database: str, now: datetime
) -> dict[str, Any]:
    """Studies, the newest first."""
    counts = reader.status_counts()
    ids = {record.name: record.id for record in records}
    lines = [
        {
            **plain_study(record),
            "is_driven": is_driven(reader, record),
            "objectives": list(record.objectives),
            "counts": counts.get(record.id, {}),
            "baselines": ids.get(record.name + BASELINES),
            "baselines_of": ids.get(record.name.removesuffix(BASELINES)) if record.name.endswith(BASELINES) else None,
        }
        for record in sorted(records, key=lambda record: -record.id)
    ]
    return {
        "format": FORMAT,
        "version": __version__,
        "time": moment(now),
        "database": database,
        "chosen": _chosen(lines) if chosen is None else chosen,
        "studies": lines,
    }


def study_document(group: Group, *, db: str | None) -> dict[str, Any]:
    """One study; its group was refreshed."""
    points = group.study.points
    study = points.columns.study
    return {
        "format": FORMAT,
        "id": study.id,
        "name": study.name,
        "config": told(study.config),
        "space_name": study.space_name,
        "space_hash": study.space_hash,
        "rules": list(study.config.get("rules") or ()),
        "versions": dict(study.versions),
        "git_revision": study.git_revision,
        "fingerprint": told(study.fingerprint),
        "facts": flattened(study.fingerprint),
        "stage_seconds": {name: number(value) for name, value in points.columns.stage_seconds().items()},
        "best": _best(points),
        "verdicts": _verdicts(points),
        "commands": study_commands(group, db=db),
    }


def study_commands(group: Group, *, db: str | None) -> dict[str, str]:
    """Lines to copy; those that make sense now."""
    points = group.study.points
    study = points.columns.study
    name, where = shlex.quote(study.name), where_of(db)
    found = {
        "show": f"bench show {name}{where}",
        "page": f"bench dashboard --study {name} --export {shlex.quote(study.name + '.html')}{where}",
        "plot": f"bench plot {name} --out front.svg{where}",
        "repeat": f"bench search --repeat {name}{where}",
    }
    if study.status != "complete":
        found["resume"] = f"bench search --resume {name}{where}"
    if not study.name.endswith(BASELINES) and group.baselines is None and study.hypervolume_reference:
        found["baselines"] = f"bench baselines {name}{where}"
    best = _best(points)
    if best is not None:
        found["export"] = f"bench export {name}/{best} --format onnx --out best.onnx{where}"
    return found


def where_of(db: str | None) -> str:
    """The flag that names the database, behind a command."""
    return f" --db {shlex.quote(db)}" if db else ""


def _chosen(lines: Sequence[dict[str, Any]]) -> int | None:
    own = [line["id"] for line in lines if line["baselines_of"] is None]
    return next(iter([*own, *(line["id"] for line in lines)]), None)


def _best(points: StudyPoints) -> int | None:
    """Number of the front's knee, as `bench.report.views.best_trial` has it."""
    columns, front = points.columns, points.front
    if not front:
        return None
    numbers = [int(columns.column("number")[row]) for row in front]
    if len(front) < 3:
        return numbers[-1]
    values = points.values[list(front)][:, :2]
    first, last = values[0], values[-1]
    if (first == last).any():
        return numbers[-1]
    scaled = (values - first) / (last - first)
    return numbers[int(np.argmax(scaled[:, 0] - scaled[:, 1]))]


def _verdicts(points: StudyPoints) -> list[dict[str, Any]]:
    """What became of the reference points, as `bench.report.verdicts.reference_verdicts` tells it."""
    columns = points.columns
    found = []
    for row, name in enumerate(columns.names):
        if name is None or int(columns.column("rung")[row]) != columns.top_rung or np.isnan(_row(points, row)).any():
            continue  # at lower rungs its rivals' accuracies there would be needed: `bench show` has those
        numbers = _dominating(points, row)
        images = int(columns.column("images")[row])
        found.append(
            {
                "name": name,
                "number": int(columns.column("number")[row]),
                "dominated_by": numbers,
                "images": images,
                "text": _sentence(name, numbers, seen_words(columns.score, images)),
            }
        )
    return found


def _row(points: StudyPoints, row: int) -> Floats:
    values: Floats = points.columns.points()[row]
    return values


def _dominating(points: StudyPoints, row: int) -> list[int]:
    columns = points.columns
    sign = np.where(np.array(columns.maximise), -1.0, 1.0)
    # Whatever it breaks itself, only what keeps the rules can beat it.
    values, own = points.values * sign, _row(points, row) * sign
    # Comparisons with NaN are false, so that what is not known dominates nothing.
    mask = (values <= own).all(axis=1) & (values < own).any(axis=1)
    rows = [other for other in np.flatnonzero(mask).tolist() if columns.names[other] is None]
    return [int(columns.column("number")[other]) for other in rows]


def _sentence(name: str, numbers: Sequence[int], seen: str) -> str:
    if not numbers:
        return f"{name} is not dominated by anything found ({seen})"
    first = ", ".join(f"#{number}" for number in numbers[:_FIRST_SHOWN])
    more = f" and {len(numbers) - _FIRST_SHOWN} more" if len(numbers) > _FIRST_SHOWN else ""
    return f"{name} is dominated by {first}{more} ({seen})"
