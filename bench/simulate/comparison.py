"""Samplers side by side: curves of simulations, or of studies that were repeated with another seed or sampler."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench import pareto
from bench.errors import ConfigError
from bench.report.contrast import objective_points
from bench.report.likeness import search_differences, told_in
from bench.report.opened import points_of
from bench.report.points import StudyPoints
from bench.report.tables import table
from bench.simulate.curves import Curve, Summary, summary_of
from bench.simulate.document import KIND, marks
from bench.store import Reader, StudyRecord

FOUND = "found"
"""The scale of studies: the share of the hypervolume of all that they found together, since nobody knows the rest."""

_SETTINGS = ("in_flight", "reduction", "noise", "budget")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One sampler in a panel.

    Attributes:
        label: the sampler, with what else differs from the others.
        seeds: over which mean and spread are.
    """

    label: str
    seeds: int
    summary: Summary = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Samplers on one task and one scale.

    Attributes:
        task: what was searched.
        scale: "tight", "wide", "given" or "found".
        over: what is spent, for the axis.
        lines: one a sampler.
    """

    task: str
    scale: str
    over: str
    lines: tuple[Line, ...]


def read_simulation(path: Path) -> dict[str, Any]:
    """What `bench simulate --json` wrote.

    Raises:
        ConfigError: something else.
        OSError: it cannot be read.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path} is not JSON ({error}); what bench simulate --json prints is needed") from None
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise ConfigError(f"{path} is not what bench simulate --json prints; allowed: that; make it anew")
    return found


def simulation_panels(documents: Sequence[Mapping[str, Any]]) -> tuple[Panel, ...]:
    """Simulations by task, a panel a scale; those of one sampler and equal settings are one line.

    Raises:
        ConfigError: a seed stands in two of one line.
    """
    tasks: dict[str, list[Mapping[str, Any]]] = {}
    for document in documents:
        tasks.setdefault(_key(document["task"]), []).append(document)
    names = _names([group[0]["task"] for group in tasks.values()])
    panels = []
    for name, group in zip(names, tasks.values(), strict=True):
        curves = _curves(name, group)
        has_rungs = any(len(document["task"]["rung_costs"]) > 1 for document in group)
        for scale in group[0]["task"]["reference"]:
            lines = tuple(_line(label, list(seeds.values()), scale) for label, seeds in curves.items())
            over = "cost in full trainings" if has_rungs else "evaluations"
            panels.append(Panel(task=name, scale=scale, over=over, lines=lines))
    return tuple(panels)


def study_panel(reader: Reader, names: Sequence[str]) -> Panel:
    """Repeated studies of one space: hypervolume over architectures tried, a line a sampler.

    Latencies are told in the milliseconds of the first; the hypervolume is against its corner.

    Raises:
        ConfigError: studies that do not compare; the message says what differs.
        StoreError: no such study.
    """
    records = [reader.study(name) for name in dict.fromkeys(names)]
    first = records[0]
    if len(first.hypervolume_reference) < len(first.objectives):
        raise ConfigError(
            f"study {first.name!r} has no reference point of the hypervolume yet; it comes with the first timings; "
            "compare it later"
        )
    corner = tuple(float(first.hypervolume_reference[name]) for name in first.objectives)
    found: list[tuple[StudyRecord, StudyPoints, pareto.Floats]] = []
    for record in records:
        if refused := search_differences(first, record):
            raise ConfigError(
                f"{first.name!r} and {record.name!r} differ in {'; '.join(refused[:3])}; the same search with another "
                "seed or sampler compares; leave one out"
            )
        points = points_of(reader, record)
        found.append((record, points, objective_points(points, told_in=told_in(first, record))))
    together = np.vstack([values for _, _, values in found])
    total = pareto.hypervolume(together, corner, maximise=found[0][1].columns.maximise)
    if total <= 0:
        raise ConfigError(f"nothing in {', '.join(names)} is better than the worst corner yet; compare them later")
    curves: dict[str, list[Curve]] = {}
    for record, points, values in found:
        progress = points.progress_against(values, corner)
        spent = [*progress.tried, len(points.columns)]
        shares = [*progress.hypervolume, *(progress.hypervolume[-1:] or (0.0,))]
        curve = Curve(spent=np.array(spent, dtype=np.float64), shares={FOUND: np.array(shares) / total})
        curves.setdefault(str(record.config["sampler"]), []).append(curve)
    lines = tuple(_line(label, own, FOUND) for label, own in curves.items())
    return Panel(task=f"studies of {first.space_name}", scale=FOUND, over="architectures tried", lines=lines)


def comparison_data(panels: Sequence[Panel]) -> dict[str, Any]:
    """The panels as JSON-able data."""
    return {
        "panels": [
            {
                "task": panel.task,
                "scale": panel.scale,
                "over": panel.over,
                "lines": [
                    {
                        "label": line.label,
                        "seeds": line.seeds,
                        "spent": list(line.summary.spent),
                        "mean": list(line.summary.mean),
                        "spread": list(line.summary.spread),
                    }
                    for line in panel.lines
                ],
            }
            for panel in panels
        ]
    }


def comparison_text(panels: Sequence[Panel]) -> str:
    """A table a panel: mean and standard deviation at some places of the way."""
    return "\n\n".join(_panel_text(panel) for panel in panels)


def _panel_text(panel: Panel) -> str:
    longest = max(panel.lines, key=lambda line: line.summary.spent[-1:]).summary
    places = marks(longest.spent)
    heading = (f"{panel.task}, {panel.scale}", "seeds", *(f"at {place:g}" for place in places))
    rows = [
        (line.label, str(line.seeds), *("{:.3f} (sd {:.3f})".format(*line.summary.at(place)) for place in places))
        for line in panel.lines
    ]
    return table(heading, rows) + f"\nnormalised hypervolume by {panel.over}"


def _key(task: Mapping[str, Any]) -> str:
    """Simulations with equal keys have the same truth and are judged alike."""
    names = ("table_sha256", "rules", "rows", "maximize", "minimize", "reference")
    return json.dumps([task[name] for name in names], sort_keys=True)


def _names(tasks: Sequence[Mapping[str, Any]]) -> list[str]:
    """What people call each task, numbered where two would be called the same."""
    names = [f"{task['space']}: {task['maximize']}, {', '.join(task['minimize'])}" for task in tasks]
    return [
        name if names.count(name) == 1 else f"{name} ({names[: place + 1].count(name)})"
        for place, name in enumerate(names)
    ]


def _curves(name: str, group: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, Curve]]:
    """By label, the curve of each seed."""
    curves: dict[str, dict[int, Curve]] = {}
    for document, label in zip(group, _labels(group), strict=True):
        known = curves.setdefault(label, {})
        for seed in document["seeds"]:
            if not seed["complete"]:
                continue
            if seed["seed"] in known:
                raise ConfigError(
                    f"seed {seed['seed']} of {label} on {name} is given twice; each counts once; leave one out, or "
                    "simulate other seeds with --seed"
                )
            scales = {scale: np.array(seed[scale]) for scale in document["task"]["reference"]}
            known[seed["seed"]] = Curve(spent=np.array(seed["spent"], dtype=np.float64), shares=scales)
        if not known:
            raise ConfigError(f"no search of {label} on {name} came to its end; one at least has to; simulate it again")
    return curves


def _labels(group: Sequence[Mapping[str, Any]]) -> list[str]:
    """The samplers, with those settings in which they differ."""
    told = [
        {name: _shown(name, document["settings"][name]) for name in _SETTINGS}
        | {"rungs": f"{len(document['task']['rung_costs'])} rungs"}
        for document in group
    ]
    differing = [name for name in told[0] if len({found[name] for found in told}) > 1]
    return [
        ", ".join((document["settings"]["sampler"], *filter(None, (found[name] for name in differing))))
        for document, found in zip(group, told, strict=True)
    ]


def _shown(name: str, value: Any) -> str:
    match name:
        case "in_flight":
            return f"{value} in flight"
        case "reduction":
            return f"one in {value:g}"
        case "budget":
            return f"budget {value}"
        case _:
            told = [f"{column} {deviation:.3g} relative" for column, deviation in value["relative"].items()]
            told += [f"{column} {deviation:g}" for column, deviation in value["absolute"].items()]
            return f"noise {', '.join(told)}" if told else ""


def _line(label: str, curves: Sequence[Curve], scale: str) -> Line:
    return Line(label=label, seeds=len(curves), summary=summary_of(curves, scale))
