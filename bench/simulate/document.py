"""A simulation as JSON-able data: what `--json` prints, and what `bench compare-samplers` reads again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.simulate.curves import Curve, curve_of, summary_of
from bench.simulate.run import Evaluation, Settings
from bench.simulate.seeds import SeedResult
from bench.simulate.task import Task

KIND = "bench simulation"
# Where people look first; searches of other lengths are told at their own end.
_MARKS = (50, 100, 200, 500, 1000, 2000, 5000)
_EARLY_MARKS = (5, 10, 20)


def simulation_document(task: Task, settings: Settings, results: Sequence[SeedResult], *, asked: int) -> dict[str, Any]:
    """Everything about the searches of one task with one sampler.

    Mean and spread are over the seeds that came to their end; of all, where an interruption left none.

    Args:
        asked: how many seeds there would be without an interruption.
    """
    results = sorted(results, key=lambda result: result.seed)
    curves = [curve_of(task, result.evaluations) for result in results]
    judged = [curve for curve, result in zip(curves, results, strict=True) if result.is_complete] or curves
    summaries = {scale.name: summary_of(judged, scale.name) for scale in task.scales}
    spent = next(iter(summaries.values())).spent
    seconds = sum(result.seconds for result in results)
    count = sum(len(result.evaluations) for result in results)
    return {
        "kind": KIND,
        "task": task_data(task),
        "settings": asdict(settings),
        "seeds_asked": asked,
        "spent": list(spent),
        "mean": {name: list(found.mean) for name, found in summaries.items()},
        "spread": {name: list(found.spread) for name, found in summaries.items()},
        "at": {
            f"{mark:g}": {
                name: dict(zip(("mean", "spread"), found.at(mark), strict=True)) for name, found in summaries.items()
            }
            for mark in marks(spent)
        },
        "seeds": [_seed_data(result, curve) for result, curve in zip(results, curves, strict=True)],
        "seconds": seconds,
        "evaluations_a_minute": 60.0 * count / seconds if seconds else None,
    }


def task_data(task: Task) -> dict[str, Any]:
    """What was searched, and on which scales it is judged."""
    rows = task.space.rows
    assert rows is not None
    return {
        "space": task.space.name,
        "table": rows.table.source,
        "table_sha256": rows.table.sha256,
        "rules": list(task.space.rules),
        "rows": len(task.space.valid),
        "rows_outside": rows.num_outside,
        "rows_failing": task.num_failing,
        "maximize": task.columns[0],
        "minimize": list(task.columns[1:]),
        "rung_costs": list(task.rung_costs),
        "reference": {scale.name: list(scale.point) for scale in task.scales},
        "hypervolume": {scale.name: scale.volume for scale in task.scales},
    }


def marks(spent: Sequence[float]) -> list[float]:
    """Where a text tells the curve that ends at the last of `spent`: the usual places before it, and its end."""
    if not spent:
        return []
    end = spent[-1]
    places = _MARKS if end > _MARKS[0] else _EARLY_MARKS
    return [*(float(mark) for mark in places if mark < end), end]


def _seed_data(result: SeedResult, curve: Curve) -> dict[str, Any]:
    return {
        "seed": result.seed,
        "complete": result.is_complete,
        "seconds": result.seconds,
        "proposals": len({evaluation.number for evaluation in result.evaluations}),
        "failed": sum(evaluation.is_failed for evaluation in result.evaluations),
        "spent": curve.spent.tolist(),
        **{name: shares.tolist() for name, shares in curve.shares.items()},
        "evaluations": [_evaluation_data(evaluation) for evaluation in result.evaluations],
    }


def _evaluation_data(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "number": evaluation.number,
        "id": evaluation.architecture_id,
        "source": evaluation.source,
        "rung": evaluation.rung,
        "failed": evaluation.is_failed,
    }
