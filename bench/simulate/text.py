"""A simulation as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.report.tables import table


def simulation_text(document: Mapping[str, Any]) -> str:
    """What was searched, against which reference points, and normalised hypervolume at some places of the way."""
    return "\n".join([*_heading(document), "", _shares(document), "", _pace(document)])


def _heading(document: Mapping[str, Any]) -> list[str]:
    task, settings = document["task"], document["settings"]
    lines = [
        f"{task['space']} in {task['table']}: {task['maximize']} up, {' and '.join(task['minimize'])} down; "
        f"{task['rows']:,} rows" + (f" that obey {'; '.join(task['rules'])}" if task["rules"] else "")
    ]
    if task["rows_outside"]:
        lines.append(f"{task['rows_outside']:,} rows of the table are not among the choices of the space")
    if task["rows_failing"]:
        lines.append(f"{task['rows_failing']:,} rows lack a value: trials that fail, and count")
    names = (task["maximize"], *task["minimize"])
    for scale, point in task["reference"].items():
        corner = ", ".join(f"{name} {value:g}" for name, value in zip(names, point, strict=True))
        lines.append(f"{scale} reference point: {corner} (hypervolume of the table {task['hypervolume'][scale]:.6g})")
    count, asked = sum(seed["complete"] for seed in document["seeds"]), document["seeds_asked"]
    seeds = f"{asked} seeds" if count == asked else f"{count} of {asked} seeds"
    lines.append(f"sampler {settings['sampler']}, {seeds}, {_how(task, settings)}")
    return lines


def _how(task: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    parts = [f"{settings['budget']} proposals"]
    if settings["in_flight"] > 1:
        parts.append(f"{settings['in_flight']} in flight")
    if len(task["rung_costs"]) > 1:
        costs = ", ".join(f"{cost:g}" for cost in task["rung_costs"])
        parts.append(f"halving by {settings['reduction']:g} over rungs that cost {costs} of a full training")
    noise = settings["noise"]
    parts += [f"{deviation:.3g} relative noise on {column}" for column, deviation in noise["relative"].items()]
    parts += [f"noise of {deviation:g} on {column}" for column, deviation in noise["absolute"].items()]
    return ", ".join(parts)


def _shares(document: Mapping[str, Any]) -> str:
    scales, places = list(document["task"]["reference"]), list(document["at"])
    heading = ["normalised hypervolume", *(f"{scale} {place}" for scale in scales for place in places)]
    at = document["at"]
    rows = [
        [name, *(f"{at[place][scale][key]:.3f}" for scale in scales for place in places)]
        for name, key in (("mean", "mean"), ("standard deviation", "spread"))
    ]
    for seed in document["seeds"]:
        cells = [f"{_share(seed, scale, float(place)):.3f}" for scale in scales for place in places]
        rows.append([f"seed {seed['seed']}" + ("" if seed["complete"] else " (not complete)"), *cells])
    return table(heading, rows)


def _share(seed: Mapping[str, Any], scale: str, spent: float) -> float:
    """Of one seed when so much was spent; marks are told with few digits, so a little more is allowed."""
    found = [share for place, share in zip(seed["spent"], seed[scale], strict=True) if place <= spent * (1 + 1e-5)]
    return float(found[-1]) if found else 0.0


def _pace(document: Mapping[str, Any]) -> str:
    failed = sum(seed["failed"] for seed in document["seeds"])
    pace = document["evaluations_a_minute"]
    short = [
        seed for seed in document["seeds"] if seed["complete"] and seed["proposals"] < document["settings"]["budget"]
    ]
    parts = [f"{pace:,.0f} evaluations a minute, {document['seconds']:.1f} s" if pace else "nothing evaluated"]
    if failed:
        parts.append(f"{failed} failed")
    if short:
        parts.append(f"{len(short)} seeds ended early: the rows were used up")
    if sum(seed["complete"] for seed in document["seeds"]) < document["seeds_asked"]:
        parts.append("interrupted")
    return "; ".join(parts)
