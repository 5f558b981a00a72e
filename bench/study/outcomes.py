"""What becomes of candidates: each thing that a worker or a runner says of one is written to the store, and then the
plan is told, so that a study killed between the two goes on from what its database says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import pareto
from bench.store import ACCURACY, Store
from bench.study.consistency import Consistency
from bench.study.evaluation import checkpoint_path
from bench.study.keeping import record
from bench.study.objectives import Objective, directions, values
from bench.study.outlook import Pace
from bench.study.plan import Plan
from bench.study.remote import Remote
from bench.study.worker import Update

# Trainings that wait at a rung with their checkpoint. One that falls behind these and is promoted all the same
# starts over: it costs time, while keeping all would cost 16 bytes a parameter and trial.
_KEPT_CHECKPOINTS = 12


class Outcomes:
    """Takes in what is said of the candidates of a study.

    Args:
        store: where everything is written.
        plan: is told of it.
        pace: is told how long trainings take.
        objectives: of the study.
        rungs: pictures seen at each.
        folder: of the study, with its checkpoints.
        consistency: whether figures were found as those before them.
        remote: leads to registered runners; None where there are none.
        tell: is called after each thing with its kind and data.
    """

    def __init__(
        self,
        store: Store,
        plan: Plan,
        pace: Pace,
        *,
        objectives: Sequence[Objective],
        rungs: Sequence[int],
        folder: Path,
        consistency: Consistency,
        remote: Remote | None,
        tell: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self.trial_ids: dict[int, int] = {}
        self._store, self._plan, self._pace = store, plan, pace
        self._objectives, self._rungs, self._folder = tuple(objectives), tuple(rungs), folder
        self._consistency, self._remote, self._tell = consistency, remote, tell

    def apply(self, number: int, update: Update) -> None:
        """Writes an update of a candidate down and lets the plan know."""
        trial_id, seconds = self.trial_ids[number], update.get("seconds")
        match update["kind"]:
            case "prepared":
                self._prepared(number, trial_id, update)
            case "measured":
                self._measured(number, trial_id, update)
            case "scored":
                self._scored(number, trial_id, update)
            case "failed":
                self.fail(number, str(update["reason"]))
                return
            case _ if seconds:
                self._store.add_stage_seconds(trial_id, seconds)
        if not self._plan.candidates[number].is_failed:
            self._tell(update["kind"], {"number": number, **short(update)})

    def fail(self, number: int, reason: str) -> None:
        """A candidate that ended without a result."""
        self._store.set_trial_status(self.trial_ids[number], "failed", reason=reason)
        self._plan.failed(number, reason)
        if self._remote is not None:
            self._remote.forget(number)
        self._tell("failed", {"number": number, "reason": reason})

    def look_at_demands(self, number: int) -> bool:
        """A candidate that breaks a constraint is stopped before its training, and before its timing if that is known
        by then; whether it does."""
        if (reason := self._plan.broken(number)) is None:
            return False
        self._store.set_trial_status(self.trial_ids[number], "stopped", reason=reason)
        self._plan.turned_away(number)
        self._tell("turned_away", {"number": number, "reason": reason})
        return True

    def _prepared(self, number: int, trial_id: int, update: Mapping[str, Any]) -> None:
        artifact = update["artifact"]
        self._store.record_artifact(
            trial_id,
            sha256=artifact["sha256"],
            format=artifact["format"],
            num_bytes=artifact["bytes"],
            details=artifact,
        )
        self._store.add_stage_seconds(trial_id, update["seconds"])
        # Last, as a study that is taken up again prepares none of which they are known.
        self._store.record_costs(trial_id, update["figures"])
        self._plan.figures(number, update["figures"])
        if self._plan.candidates[number].is_timed or self.look_at_demands(number):
            return
        if self._remote is not None and update.get("files"):
            self._remote.prepared(number, update)
        self._look_at_readiness(number)

    def _measured(self, number: int, trial_id: int, update: Mapping[str, Any]) -> None:
        found = update["measurement"]
        record(self._store, found, update["summary"], trial_id=trial_id)
        self._store.add_stage_seconds(trial_id, update["seconds"])
        if not update["summary"]:
            return  # its own failure is on the way, with the reason
        if fault := self._consistency.timing_fault(found):
            self.fail(number, fault)
            return
        self._plan.figures(number, update["figures"])
        self._look_at_readiness(number)

    def _look_at_readiness(self, number: int) -> None:
        """A candidate of which all is known that has to be before its training can have one, if it keeps to bounds."""
        if self._plan.is_ready(number) and not self._plan.candidates[number].is_timed:
            self._plan.timed(number)
            self.look_at_demands(number)

    def _scored(self, number: int, trial_id: int, update: Mapping[str, Any]) -> None:
        score, rung = update["score"], int(update["rung"])
        if fault := self._consistency.score_fault(score["fidelity"], rung):
            self.fail(number, fault)
            return
        self._store.record_score(
            trial_id,
            rung=rung,
            accuracy=score["accuracy"],
            loss=score["loss"],
            fidelity=score["fidelity"],
            curve=[{"images": images, "loss": loss} for images, loss in score["curve"]],
            seconds=score["seconds"],
            weights_path=update["weights_path"],
        )
        self._store.add_stage_seconds(trial_id, update["seconds"])
        self._pace.trained(int(update["images"]), rung=rung)
        is_top = rung == len(self._rungs) - 1
        self._store.set_trial_status(trial_id, "complete" if is_top else "paused")
        self._plan.scored(number, rung, float(score["accuracy"]))
        self._drop_checkpoints(rung)

    def _drop_checkpoints(self, rung: int) -> None:
        """Keeps the checkpoints of those at a rung that are likely to go on."""
        score = self._objectives[0].name
        waiting = {
            number: values(self._objectives, {**candidate.figures, score: candidate.accuracy[rung]})
            for number, candidate in self._plan.candidates.items()
            if max(candidate.accuracy, default=-1) == rung and candidate.target is None and not candidate.is_failed
        }
        numbers = list(waiting)
        order = pareto.best_first(list(waiting.values()), maximise=directions(self._objectives))
        for row in order[_KEPT_CHECKPOINTS:]:
            checkpoint_path(self._folder, numbers[row], rung).unlink(missing_ok=True)


def short(update: Update) -> dict[str, Any]:
    """What a listener shows of an update: figures, not samples."""
    shown: dict[str, Any] = {name: update[name] for name in ("figures", "rung", "images_seen") if name in update}
    if "score" in update:
        shown[update["score"].get("name", ACCURACY)] = update["score"]["accuracy"]
    if "summary" in update:
        shown |= {"summary": update["summary"], "runner": update["measurement"]["runner"]}
    return shown
