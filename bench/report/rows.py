"""Trials as rows of plain data: the same columns in a pandas frame, in CSV and in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.report.ladder import ladder_of
from bench.report.verdicts import differences
from bench.report.views import StudyView, TrialView, stage_seconds
from bench.store import ACCURACY, LATENCY

_FIRST_COLUMNS = ("number", "name", "architecture_id", "source", "status", "reason", "infeasible")
_LAST_COLUMNS = ("params_m", "macs_g", "artifact_mb", "is_front", "architecture")


def column_names(latencies: Sequence[str], score: str = ACCURACY, bounded: Sequence[str] = ()) -> list[str]:
    """Of a study whose trials may have these latencies, by the name of what they are scored by.

    Args:
        bounded: of `figure_names.bounded_names`.
    """
    timed = (column for name in latencies for column in latency_columns(name))
    return [*_FIRST_COLUMNS, score, "images_seen", *timed, *bounded, *_LAST_COLUMNS]


def latency_columns(figure: str) -> tuple[str, str, str, str]:
    """Of one runner: milliseconds, both ends of their interval, the ratio to FastViT-T8."""
    runner = figure.removeprefix(LATENCY)
    return figure, f"latency_low_ms{runner}", f"latency_high_ms{runner}", f"ratio_to_reference{runner}"


def trial_row(trial: TrialView) -> dict[str, Any]:
    """One trial by column name."""
    return {
        "number": trial.number,
        "name": trial.name,
        "architecture_id": trial.architecture_id,
        "source": trial.source,
        "status": trial.status,
        "reason": trial.reason,
        "infeasible": trial.infeasible,
        trial.score_name: None if trial.rung is None else trial.accuracy[trial.rung],
        "images_seen": trial.images_seen,
        "is_front": trial.is_front,
        "architecture": dict(trial.architecture),
        **trial.figures,
        **_latencies(trial),
    }


def study_data(view: StudyView) -> dict[str, Any]:
    """A study as JSON-able data."""
    return {
        "study": view.study.name,
        "status": view.study.status,
        "reason": view.study.reason,
        "objectives": list(view.objectives),
        "hypervolume": view.hypervolume,
        "hypervolume_reference": dict(view.study.hypervolume_reference),
        "counts": view.counts,
        "front": [trial.number for trial in view.front],
        "is_final": view.is_final,
        "fell_out": list(view.fell_out),
        "trials": [
            {
                "number": trial.number,
                "id": trial.architecture_id,
                "source": trial.source,
                "status": trial.status,
                "reason": trial.reason,
                "infeasible": trial.infeasible,
                trial.score_name: {str(rung): value for rung, value in trial.accuracy.items()},
                "images_seen": trial.images_seen,
                "figures": dict(trial.figures),
                "latency": dict(trial.latency),
                "latencies": {name: dict(found) for name, found in trial.latencies.items()},
                "is_front": trial.is_front,
                "is_provisional": trial.is_provisional,
                "retrained": None if trial.retrained is None else trial.retrained.to_dict(),
                "architecture": dict(trial.architecture),
            }
            for trial in view.trials
        ],
        "differences": [found.to_dict() for found in differences(view)],
        "ladder": [rung.to_dict() for rung in ladder_of(view)],
        "stage_seconds": stage_seconds(view),
        "seconds": (view.study.finished_at - view.study.created_at).total_seconds() if view.study.finished_at else None,
        "config": dict(view.study.config),
        "space_hash": view.study.space_hash,
        "seed": view.study.seed,
        "versions": dict(view.study.versions),
        "git_revision": view.study.git_revision,
        "fingerprint": dict(view.study.fingerprint),
    }


def _latencies(trial: TrialView) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for figure, told in trial.latencies.items():
        values = (told[name] for name in ("ms", "low_ms", "high_ms", "ratio_to_reference"))
        found |= dict(zip(latency_columns(figure), values, strict=True))
    return found
