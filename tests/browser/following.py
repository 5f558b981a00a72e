"""A search that writes while a page is open, and what the page shows of it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from planned_studies import tell_trial, write_study
from plans import Plan

from bench.report.views import study_view
from bench.store import Store, StudyRecord

from .visits import PATIENCE_MS, Visit

PLAN = Plan(name="live", num_trials=40, failed=0.1, top=0.7, status=None)
BEST = {"status": "complete", "reason": None, "latencies": {"cpu": 1.0}, "scores": (0.5, 0.8, 0.99)}


def begin(db: Path, num_trials: int) -> None:
    """A study that goes on running, with its first trials."""
    write_study(db, replace(PLAN, num_trials=num_trials))


def told(found: Visit, store: Store, study: StudyRecord, number: int) -> float:
    """Seconds from the last commit about a trial until the page shows the front that follows from it."""
    tell_trial(store, study, PLAN, number)
    begun = time.monotonic()
    wait_for_front(found, store, tried=number + 1)
    return time.monotonic() - begun


def wait_for_front(found: Visit, store: Store, *, tried: int | None = None) -> None:
    """Waits until the page draws the front that the database has."""
    view = study_view(store, "live")
    wanted = [trial.number for trial in view.front]
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:
        shown = found.find("body[data-drawnfront]").count() and wanted and found.numbers("front") == wanted
        done = found.find("[data-fact=done]").inner_text().split(" of ")[0] if tried is not None else ""
        if (shown or not wanted) and (tried is None or done == str(tried)):
            return
        assert time.monotonic() < deadline, (wanted, done)
        found.page.wait_for_timeout(50)
