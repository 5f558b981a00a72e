"""What every document tells of a study, from its record alone or with what follows from its trials."""

from __future__ import annotations

from typing import Any

from bench.dashboard.followed import Group
from bench.dashboard.telling import moment
from bench.measure.catalogue import RUNNERS
from bench.store import StudyRecord


def study_line(group: Group) -> dict[str, Any]:
    """What is always told of a study."""
    study = group.study.points.columns.study
    return {
        **plain_study(study),
        "rules": list(study.config.get("rules") or ()),
        "data": str((study.config.get("data") or {}).get("source", "")),
        "images": int((study.config.get("proxy") or {}).get("images") or 0),
        "top_rung": group.study.points.columns.top_rung,
        "machine": machine_of(study),
        "is_driven": group.is_driven,
        "baselines": None if group.baselines is None else group.baselines.points.columns.study.id,
        "baselines_of": group.baselines_of,
    }


def plain_study(study: StudyRecord) -> dict[str, Any]:
    """Of its record alone."""
    return {
        "id": study.id,
        "name": study.name,
        "status": study.status,
        "reason": study.reason,
        "space": study.space_name,
        "sampler": str(study.config.get("sampler", "")),
        "seed": study.seed,
        "budget": int(study.config.get("budget") or 0),
        "runners": list(study.runners),
        "created_at": moment(study.created_at),
        "finished_at": moment(study.finished_at),
    }


def machine_of(study: StudyRecord) -> str:
    """Where it timed, in words."""
    if not set(study.runners) <= set(RUNNERS):
        return ", ".join(study.runners)
    return str((study.fingerprint.get("machine") or {}).get("cpu") or "an unnamed machine")
