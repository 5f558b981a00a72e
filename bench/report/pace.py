"""How far a study is, how fast it goes and when it will have ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from bench.report.columns import STATUSES, StudyColumns


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How far a study is.

    Attributes:
        done: trials that failed or have a first score.
        seconds: from its start to its end, or to now.
        per_hour: first results in its last hour, or in as much as there is; None while unknown or when it does not run.
        seconds_left: at that pace; None like that.
    """

    done: int
    running: int
    failed: int
    budget: int
    seconds: float
    per_hour: float | None
    seconds_left: float | None


def pace_of(columns: StudyColumns, now: datetime, *, is_driven: bool | None = None) -> Pace:
    """How far the study is at a time.

    Args:
        is_driven: False where it is said to run and no process does: it ended with what was last heard of it.
    """
    study = columns.study
    status = columns.column("status")
    done = int(np.isfinite(columns.column("first_s")).sum())
    budget = int(study.config.get("budget") or 0)
    has_died = is_driven is False and study.status == "running"
    is_running = study.status == "running" and not has_died
    end = now if study.finished_at is None or is_running else study.finished_at
    if (study.status == "interrupted" or has_died) and columns.last_event_at is not None:
        end = columns.last_event_at
    seconds = max(0.0, (end - study.created_at).total_seconds())
    recent = columns.column("first_s")
    window = min(3600.0, seconds)
    # An hour is enough to tell a pace, and what was before an interruption does not count.
    num_recent = int((recent >= seconds - window).sum())
    per_hour = 3600.0 * num_recent / window if is_running and num_recent and window > 0 else None
    left = None if per_hour is None or not budget else max(0, budget - done) / per_hour * 3600.0
    return Pace(
        done=done,
        running=0 if has_died else int((status == STATUSES.index("running")).sum()),
        failed=int((status == STATUSES.index("failed")).sum()),
        budget=budget,
        seconds=seconds,
        per_hour=per_hour,
        seconds_left=left,
    )
