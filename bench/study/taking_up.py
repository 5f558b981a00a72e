"""Brings a plan to where the database says that its study is, and jobs that were under way back to their start."""

from __future__ import annotations

from collections.abc import Callable

from bench.store import Store, StudyRecord, TrialRecord
from bench.study.outcomes import Outcomes
from bench.study.plan import Plan
from bench.study.remote import EVENT, Remote
from bench.study.stored import stored_candidates


def take_up(store: Store, study: StudyRecord, plan: Plan, outcomes: Outcomes, *, top: int) -> None:
    """Takes in the trials of a study by number, in the order of their numbers; nothing of a new one.

    Args:
        plan: of the same settings, in which nothing has happened yet.
        top: the highest rung.
    """
    targets = {
        event.trial_id: int(event.data["rung"])
        for event in store.events(study.id)
        if event.kind == "job" and event.trial_id is not None
    }
    for trial, proposal, figures, accuracy in stored_candidates(store, study):
        outcomes.trial_ids[trial.number] = trial.id
        plan.restore(
            trial.number,
            proposal,
            figures=figures,
            accuracy=accuracy,
            is_failed=trial.status == "failed",
            is_turned_away=trial.status == "stopped" and not accuracy,
        )
        if trial.status in ("queued", "running") and (accuracy or not outcomes.look_at_demands(trial.number)):
            target = targets.get(trial.id, 0)
            _go_on(store, plan, trial, target, is_scored=target in accuracy, is_top=target == top)


def take_up_remote(
    store: Store, study: StudyRecord, plan: Plan, remote: Remote, lacking: Callable[[int], tuple[str, ...]]
) -> None:
    """Waits for what was sent before: its candidates are away, and are not prepared again.

    Args:
        lacking: names of the runners that have not timed a candidate yet.
    """
    waiting = [number for number, found in plan.candidates.items() if not found.is_timed and not found.is_known]
    sent = [event.data for event in store.events(study.id) if event.kind == EVENT]
    for number in remote.take_up(sent, {number: lacking(number) for number in waiting}):
        plan.sent(number)


def _go_on(store: Store, plan: Plan, trial: TrialRecord, rung: int, *, is_scored: bool, is_top: bool) -> None:
    """A trial that was at work when the study ended: either its score was the last thing written, or it goes on."""
    if is_scored:
        store.set_trial_status(trial.id, "complete" if is_top else "paused")
        return
    if trial.status == "running":
        store.set_trial_status(trial.id, "queued", reason="taken up again")
    if rung > 0:
        plan.restart(trial.number)
