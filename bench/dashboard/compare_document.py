"""Two studies side by side, a study's devices and stand-ins, and strategies over seeds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench import pareto
from bench.dashboard.followed import Group
from bench.dashboard.points_document import attainment_lists
from bench.dashboard.telling import FORMAT, listed, number, numbers
from bench.pareto import Floats
from bench.report.contrast import (
    Correlation,
    Difference,
    common_rows,
    correlation,
    hypervolume_difference,
    objective_points,
    regions,
)
from bench.report.likeness import differences, search_differences, told_in
from bench.report.pace import pace_of
from bench.report.points import Progress, StudyPoints
from bench.report.stand_ins import device_correlations, stand_ins
from bench.report.strategies import strategies
from bench.store import Reader, StudyRecord, is_latency

_ONE_SEED = (
    "by one seed each: the interval knows what another draw of these trials would change, not what another seed would"
)
_MOST_POINTS = 2000


def compare_document(first: Group, second: Group, reader: Reader) -> dict[str, Any]:
    """Two studies that were refreshed."""
    left, right = first.study.points, second.study.points
    records = left.columns.study, right.columns.study
    fidelities = reader.fidelity(records[0].id), reader.fidelity(records[1].id)
    refused = list(differences(*records, fidelities))
    answer: dict[str, Any] = {
        "format": FORMAT,
        "kind": "studies",
        "first": _line(records[0]),
        "second": _line(records[1]),
        "refused": refused,
        "correlations": [_correlation(found, (left, right), figure=figure) for figure, found in _common(left, right)],
    }
    if refused:
        return answer
    factor = told_in(*records)
    corner = [float(records[0].hypervolume_reference.get(name, np.nan)) for name in records[0].objectives]
    values = objective_points(left), objective_points(right, told_in=factor)
    has_corner = not np.isnan(corner).any()
    maximise = left.columns.maximise
    return {
        **answer,
        "notes": _notes(records, factor, has_corner=has_corner),
        "objectives": [asdict(found) for found in left.columns.objectives],
        "fronts": [_front(left, values[0], 1.0, corner), _front(right, values[1], factor, corner)],
        "difference": _difference(hypervolume_difference(*values, corner, maximise)) if has_corner else None,
        "regions": _regions(left, *values) if len(maximise) > 1 else [],
    }


def within_document(group: Group) -> dict[str, Any]:
    """One study that was refreshed: its runners against each other, its exact costs as stand-ins for latency."""
    points = group.study.points
    numbers_of = points.columns.column("number")
    return {
        "format": FORMAT,
        "kind": "study",
        "first": _line(points.columns.study),
        "refused": [],
        "notes": [],
        "objectives": [asdict(found) for found in points.columns.objectives],
        "correlations": [
            _correlation(found, (points, points), figure=a, against=b) for a, b, found in device_correlations(points)
        ],
        "stand_ins": [
            {
                "chosen_by": found.chosen_by,
                "judged_by": found.judged_by,
                "num": len(found.correlation.rows),
                "spearman": number(found.correlation.spearman),
                "kendall": number(found.correlation.kendall),
                **{
                    name: [int(numbers_of[row]) for row in getattr(found, name)]
                    for name in ("chosen", "front", "missed")
                },
                "hypervolume_share": number(found.hypervolume_share),
                "text": found.text,
            }
            for found in stand_ins(points)
        ],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One study of a search.

    Attributes:
        study: its record.
        progress: against the corner of the study that asks, in its milliseconds; None as long as that has none.
        tried: architectures with a first result.
    """

    study: StudyRecord
    progress: Progress | None
    tried: int


def run_of(own: StudyRecord, points: StudyPoints) -> Run:
    """How a study went, as study `own` would tell it."""
    study = points.columns.study
    corner = tuple(float(own.hypervolume_reference.get(name, np.nan)) for name in own.objectives)
    progress = None
    if not np.isnan(corner).any():
        progress = points.progress_against(objective_points(points, told_in=told_in(own, study)), corner)
    return Run(study=study, progress=progress, tried=pace_of(points.columns, study.created_at).done)


def strategies_document(own: StudyRecord, runs: list[Run], records: list[StudyRecord]) -> dict[str, Any]:
    """Studies that ran the search of `own`, by sampler, and why the others of `records` are not among them."""
    by_sampler: dict[str, list[tuple[str, Progress, int]]] = {}
    for run in runs:
        if run.tried and run.progress is not None:
            sampler = str(run.study.config.get("sampler", ""))
            by_sampler.setdefault(sampler, []).append((run.study.name, run.progress, run.tried))
    known = {run.study.name: run.study for run in runs}
    return {
        "format": FORMAT,
        "strategies": [
            {
                "strategy": found.name,
                "studies": [{"id": known[name].id, "name": name, "seed": known[name].seed} for name in found.studies],
                "tried": list(found.tried),
                **{name: listed(getattr(found, name)) for name in ("median", "low", "high")},
            }
            for found in strategies(by_sampler)
        ],
        "left_out": [
            {"id": record.id, "name": record.name, "reasons": list(search_differences(own, record))}
            for record in records
            if record.name not in known
        ],
    }


def _line(study: StudyRecord) -> dict[str, Any]:
    return {
        "id": study.id,
        "name": study.name,
        "sampler": str(study.config.get("sampler", "")),
        "seed": study.seed,
    }


def _notes(records: tuple[StudyRecord, StudyRecord], factor: float, *, has_corner: bool) -> list[str]:
    notes = [_ONE_SEED]
    if abs(factor - 1) > 1e-9:
        notes.append(
            f"latencies of {records[1].name} are told in the milliseconds of {records[0].name}: times {factor:.4f}, by "
            "what FastViT-T8 took when each began"
        )
    if not has_corner:
        notes.append(f"{records[0].name} has no reference point yet, so that hypervolumes are not known")
    return notes


def _front(points: StudyPoints, values: Floats, factor: float, corner: list[float]) -> dict[str, Any]:
    columns, rows = points.columns, list(points.front)
    scaled = {name: factor if is_latency(name) else 1.0 for name in (columns.score, *columns.costs)}
    volume = None if np.isnan(corner).any() else pareto.hypervolume(values[rows], corner, maximise=columns.maximise)
    ends = {
        end: {name: numbers(columns.column(f"{end} {name}")[rows] * factor) for name in columns.latencies}
        for end in ("low", "high")
    }
    return {
        "number": [int(columns.column("number")[row]) for row in rows],
        "trial": [int(columns.column("trial_id")[row]) for row in rows],
        "id": [columns.architecture_ids[row] for row in rows],
        "name": [columns.names[row] for row in rows],
        "values": {name: numbers(columns.figure(name)[rows] * scale) for name, scale in scaled.items()},
        **ends,
        "hypervolume": number(volume),
        "attainment": attainment_lists(points),
    }


def _difference(found: Difference) -> dict[str, Any]:
    sides = "more" if found.value >= 0 else "less"
    interval = f"95 % [{found.low:.4g}, {found.high:.4g}]"
    return {
        "hypervolume": number(found.value),
        "low": number(found.low),
        "high": number(found.high),
        "draws": found.draws,
        "text": f"the first has {abs(found.value):.4g} {sides} hypervolume; difference {interval}",
    }


def _regions(points: StudyPoints, first: Floats, second: Floats) -> list[dict[str, Any]]:
    y, x = points.columns.objectives[:2]
    found = regions(first[:, [1, 0]], second[:, [1, 0]], maximise=(x.maximise, y.maximise))
    return [
        {
            "x": x.name,
            "y": y.name,
            "from": listed([region.low for region in found]),
            "to": listed([region.high for region in found]),
            "winner": [region.winner for region in found],
            "first": listed([region.first for region in found]),
            "second": listed([region.second for region in found]),
        }
    ]


def _common(left: StudyPoints, right: StudyPoints) -> list[tuple[str, Correlation]]:
    rows = common_rows(left.columns, right.columns)
    names = [name for name in left.columns.latencies if name in right.columns.latencies]
    found = [(name, correlation(left.columns.figure(name), right.columns.figure(name), rows)) for name in names]
    return [(name, each) for name, each in found if each.rows]


def _correlation(
    found: Correlation, points: tuple[StudyPoints, StudyPoints], *, figure: str, against: str | None = None
) -> dict[str, Any]:
    left, right = (each.columns for each in points)
    rows = found.rows[:_MOST_POINTS]
    return {
        "figure": figure,
        "against": against or figure,
        "num": len(found.rows),
        "spearman": number(found.spearman),
        "kendall": number(found.kendall),
        "number": [[int(left.column("number")[a]), int(right.column("number")[b])] for a, b in rows],
        "x": listed(found.x[:_MOST_POINTS]),
        "y": listed(found.y[:_MOST_POINTS]),
        "name": [left.names[a] for a, _ in rows],
    }
