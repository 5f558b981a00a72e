"""Everything that is known of one trial: its network, what it cost, what was measured, and what to do with it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.dashboard.followed import Group
from bench.dashboard.near_document import nearest_document, neighbours_document
from bench.dashboard.study_document import where_of
from bench.dashboard.telling import FORMAT, flattened, moment, number, told
from bench.report.anatomy import Anatomy, PartCost, StageCost, anatomy
from bench.report.columns import REFERENCE
from bench.report.points import KINDS
from bench.report.retrained import FELL_OUT
from bench.store import ArtifactRecord, MeasurementRecord, Reader, ScoreRecord, TrialRecord, latency_figure

# As the README explains them.
VERDICTS = {
    "valid": "nothing was found wrong with it",
    "failed": "nothing was timed",
    "wrong_output": "it computes something else than the network it is said to be",
    "partial_placement": "some operators ran elsewhere than on the device that was asked for",
    "throttled": "the device slowed itself down, or FastViT-T8 became steadily slower",
    "contended": "others used the CPU, or the hypervisor took it, in so many blocks that too few clean ones are left",
    "not_converged": "the interval is wider than the target, or restarts are missing, when the time was over",
    "noisy": "FastViT-T8 differs from its twin by more than the target",
    "imported": "measured elsewhere by another tool",
}
_NS_PER_MS = 1e6
_SHOWN_FIGURES = ("ms", "low_ms", "high_ms")
_RATIOS = ("ratio_to_reference", "ratio_low", "ratio_high")


def trial_document(group: Group, reader: Reader, record: TrialRecord, *, db: str | None) -> dict[str, Any]:
    """One trial of a study whose group was refreshed, or of its baselines."""
    followed = group.study
    if group.baselines is not None and group.baselines.points.columns.study.id == record.study_id:
        followed = group.baselines
    points = followed.points
    row = points.columns.row_of(record.number)
    assert row is not None, "a group that was refreshed has every trial that the store tells of"
    name = record.source.removeprefix(REFERENCE) if record.source.startswith(REFERENCE) else None
    figures = [points.columns.score, *points.columns.costs]
    values = {figure: number(float(points.columns.figure(figure)[row])) for figure in figures}
    return {
        "format": FORMAT,
        "trial": record.id,
        "study": {"id": record.study_id, "name": record.study_name},
        "number": record.number,
        "label": record.label,
        "name": name,
        "id": record.architecture_id,
        "source": record.source,
        "status": record.status,
        "reason": record.reason,
        "is_front": bool(points.is_on_front[row]),
        "kind": KINDS[int(points.kinds()[row])],
        "note": FELL_OUT if row in points.fell_out else None,
        "infeasible": points.infeasible[row],
        "created_at": moment(record.created_at),
        "started_at": moment(record.started_at),
        "finished_at": moment(record.finished_at),
        "seed": record.seed,
        "values": {figure: value for figure, value in values.items() if value is not None},
        "architecture": _architecture(record.architecture, anatomy(record.architecture)),
        "scores": [_score(score) for score in reader.scores(record.id)],
        "measurements": [
            _measurement(found, latency_figure(found.runner, points.columns.study.runners))
            for found in reader.measurements(record.id)
        ],
        "artifacts": [_artifact(found) for found in reader.artifacts(record.id)],
        "stage_seconds": told(record.stage_seconds),
        "nearest": nearest_document(group, reader, points, row),
        "relatives": {"parents": [], "children": [], "neighbours": neighbours_document(group, reader, points, row)},
        "commands": _commands(record, db=db),
    }


def _architecture(architecture: Mapping[str, Any], found: Anatomy) -> dict[str, Any]:
    total = found.total
    return {
        "family": str(architecture.get("family", "")),
        "settings": dict(architecture.get("settings", {})),
        "text": found.text,
        "stages": [_stage(stage, total) for stage in found.stages],
        "elsewhere": _part(found.elsewhere),
        "total": _part(total),
        "operators": [told(asdict(kind)) for kind in found.kinds],
    }


def _stage(stage: StageCost, total: PartCost | None) -> dict[str, Any]:
    share = None
    if stage.blocks is not None and total is not None and total.macs_g > 0:
        share = number(stage.blocks.macs_g / total.macs_g)
    words = dict(stage.words)
    return {
        "number": stage.number,
        "depth": words.get("depth"),
        "width": words.get("width"),
        "mixer": words.get("mixer"),
        "words": words,
        "block": _part(stage.block),
        "blocks": _part(stage.blocks),
        "share_of_macs": share,
    }


def _part(found: PartCost | None) -> Any:
    return None if found is None else told(asdict(found))


def _score(score: ScoreRecord) -> dict[str, Any]:
    fidelity = {name: value for name, value in score.fidelity.items() if name != "training"}
    return {
        "rung": score.rung,
        "accuracy": number(score.accuracy),
        "loss": number(score.loss),
        "images": int(score.fidelity.get("images_seen") or 0),
        "seconds": number(score.seconds),
        "created_at": moment(score.created_at),
        "fidelity": flattened(fidelity),
        "curve": {
            "images": [point.get("images") for point in score.curve],
            "loss": [number(point.get("loss")) for point in score.curve],
        },
    }


def _measurement(found: MeasurementRecord, figure: str) -> dict[str, Any]:
    summary = dict(found.summary)
    latency = found.latency if summary else {}
    hidden = ("interval_kind", "median_ms", *_SHOWN_FIGURES, *_RATIOS)
    rest = {
        name: value
        for name, value in summary.items()
        if name not in hidden and not name.startswith("comparable_") and value is not None
    }
    return {
        "figure": figure,
        "runner": found.runner,
        "runtime": found.runtime,
        "threads": found.threads,
        "resolution": found.resolution,
        "created_at": moment(found.created_at),
        "session": found.session,
        "verdict": found.verdict,
        "verdict_text": VERDICTS.get(found.verdict, ""),
        "reason": found.reason,
        **{name: number(latency.get(name)) for name in _SHOWN_FIGURES},
        "session_ms": number(summary.get("median_ms")),
        "interval_kind": summary.get("interval_kind"),
        **{name: number(summary.get(name)) for name in _RATIOS},
        "summary": flattened(rest),
        "samples": _samples(found.samples),
        "fingerprint": flattened(found.fingerprint),
    }


def _samples(samples: Mapping[str, Any]) -> dict[str, Any] | None:
    """Milliseconds by process; the blocks of a process one after the other."""
    runs = samples.get("samples")
    if not runs:
        return None
    contended = samples.get("contended") or []
    flags = [
        [bool(flag) for flag, block in zip(process, blocks, strict=False) for _ in block]
        for process, blocks in zip(contended, runs, strict=False)
    ]
    return {
        "ms": _milliseconds(runs),
        "contended": flags,
        "reference_ms": _milliseconds(samples.get("reference_samples") or []),
    }


def _milliseconds(processes: Sequence[Sequence[Sequence[int]]]) -> list[list[Any]]:
    return [[number(ns / _NS_PER_MS) for block in process for ns in block] for process in processes]


def _artifact(found: ArtifactRecord) -> dict[str, Any]:
    return {
        "format": found.format,
        "sha256": found.sha256,
        "bytes": found.num_bytes,
        "details": flattened(found.details),
        "created_at": moment(found.created_at),
    }


def _commands(record: TrialRecord, *, db: str | None) -> dict[str, str]:
    label, where = shlex.quote(record.label), where_of(db)
    file = shlex.quote(f"{record.study_name}-{record.number}.onnx")
    found = {
        "show": f"bench show {label}{where}",
        "measure": f"bench measure {label}{where}",
        "compare": f"bench compare {label} fastvit_t8{where}",
    }
    if record.status != "failed":
        found["export"] = f"bench export {label} --format onnx --out {file}{where}"
    return found
