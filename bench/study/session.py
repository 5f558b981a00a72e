"""A study under way: the plan, the store and the listeners in step.

Each thing that happens is written to the store before anything follows from it, so a study killed at any moment goes
on where its database says it was. Only this process writes; workers send updates.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import pareto
from bench.errors import SearchError
from bench.measure import same_conditions
from bench.networks.cost import cost_quantities
from bench.space import CostFunction, Space
from bench.store import Store, StudyRecord, TrialRecord
from bench.study.config import StudyConfig
from bench.study.evaluation import EvaluationJob, cache_folder, checkpoint_path
from bench.study.halving import rung_images
from bench.study.jobs import Job
from bench.study.measuring import record
from bench.study.objectives import directions, parse_objectives, values
from bench.study.outlook import Pace, Point, front_of, hypervolume_of
from bench.study.plan import PlannedJob, PlannedTiming, PlannedTraining
from bench.study.proposer import Proposal
from bench.study.provenance import fidelity_differences
from bench.study.stored import make_plan, stored_candidates
from bench.study.timing import TimingJob
from bench.study.worker import crash_report

# Trainings that wait at a rung with their checkpoint. One that falls behind these and is promoted all the same
# starts over: it costs time, while keeping all would cost 16 bytes a parameter and trial.
_KEPT_CHECKPOINTS = 12

# State of a candidate whose worker has said nothing yet.
_STARTS = "starts"

Listener = Callable[["Session", str, Mapping[str, Any]], None]


@dataclass(slots=True, eq=False)
class _UnderWay:
    """A job, when it began, and the seconds that its stages account for."""

    job: Job
    begun_s: float
    busy_s: float = 0.0


class Session:
    """One run of a study.

    Args:
        store: where everything is written.
        study: its record there.
        config: its settings.
        space: with all rules of the study.
        folder: for checkpoints, weights and logs.
        concurrency: jobs at a time.
        threads: of each training.
        device: where candidates are trained.
        references: artifact of the pinned network by resolution, as mappings; empty when latency is no objective.
        data_hashes: content of the packed pictures by their resolution.
        listener: is called after each event with its kind and data.
        costs: what rules read.
    """

    def __init__(
        self,
        store: Store,
        study: StudyRecord,
        config: StudyConfig,
        space: Space,
        folder: Path,
        *,
        concurrency: int,
        threads: int,
        device: str,
        references: Mapping[int, Mapping[str, Any]],
        data_hashes: Mapping[int, str],
        listener: Listener,
        costs: CostFunction = cost_quantities,
    ) -> None:
        self.store, self.study, self.config, self.space, self.folder = store, study, config, space, folder
        self.objectives = parse_objectives(config.objectives)
        proxy = config.proxy
        self.rungs = rung_images(
            proxy.images, rungs=proxy.rungs, reduction=proxy.reduction, batch_size=proxy.batch_size
        )
        self.plan = make_plan(config, space, self.objectives, self.rungs, concurrency=concurrency, costs=costs)
        self.pace = Pace(self.rungs, reduction=proxy.reduction, budget=config.budget)
        self._threads, self._device, self._listener = threads, device, listener
        self._references, self._data_hashes = references, data_hashes
        self._fidelities: dict[int, Mapping[str, Any]] = {}
        self._conditions: Mapping[str, Any] | None = None
        self._trial_ids: dict[int, int] = {}
        self._under_way: list[_UnderWay] = []
        self._states: dict[int, str] = {}
        self._restore()

    def next_job(self) -> Job | None:
        """The next job, written down as started; None when nothing can be started now."""
        begin = time.perf_counter()
        planned = self.plan.next_job()
        if planned is None:
            return None
        self._add(_proposals(planned), time.perf_counter() - begin)
        return self._timing_job(planned) if isinstance(planned, PlannedTiming) else self._training_job(planned)

    def update(self, number: int, update: Mapping[str, Any]) -> None:
        """Takes in what a worker sent of a candidate; what comes after a failure is too late."""
        if not self._is_at_work(number):
            return
        trial_id = self._trial_ids[number]
        self._states[number] = _state(update)
        if seconds := update.get("seconds"):
            self._job_of(number).busy_s += sum(seconds.values())
        match update["kind"]:
            case "prepared":
                self._prepared(number, trial_id, update)
            case "measured":
                self._measured(number, trial_id, update)
            case "scored":
                self._scored(number, trial_id, update)
            case "failed":
                self.failed(number, str(update["reason"]))
                return
            case _ if seconds:
                self.store.add_stage_seconds(trial_id, seconds)
        if self.plan.candidates[number].is_failed:
            return
        self._tell(update["kind"], {"number": number, **_short(update)})

    def ended(self, job: Job, *, has_died: bool) -> None:
        """A job that has ended, with its worker or without. Of a batch that died with it, the candidate that was at
        work fails; those that had no part in it are timed again."""
        # Not by number alone: a candidate that is scored may be on its way to the next rung before its job has ended.
        ended = next(found for found in self._under_way if found.job is job)
        left = [number for number in job.numbers if self._is_at_work(number) and self._job_of(number) is ended]
        if has_died and left:
            self.failed(next((number for number in left if self._states[number] == _STARTS), left[0]))
        for number in left:
            if self._is_at_work(number):
                self.plan.untimed(number)
        self._under_way.remove(ended)
        # What no stage accounts for: starting the worker, moving data, Ray.
        elsewhere = time.perf_counter() - ended.begun_s - ended.busy_s
        for number in job.numbers:
            self.store.add_stage_seconds(self._trial_ids[number], {"elsewhere": max(0.0, elsewhere) / len(job.numbers)})

    def failed(self, number: int, reason: str | None = None) -> None:
        """A candidate whose job ended without a result; without a reason its worker died."""
        if not self._is_at_work(number):
            return
        reason = reason or f"the worker died: {crash_report(self.folder, number) or 'killed, or out of memory'}"
        self.store.set_trial_status(self._trial_ids[number], "failed", reason=reason)
        self.plan.failed(number, reason)
        self._tell("failed", {"number": number, "reason": reason})

    def finish(self) -> StudyRecord:
        """Closes the study: who still waits at a rung is stopped for good, unless the study may yet go on."""
        for trial in self.store.trials(self.study.id):
            if trial.status == "paused" and self.plan.stop_reason is None:
                self.store.set_trial_status(trial.id, "stopped", reason=self._why_stopped(trial))
                for rung in range(len(self.rungs)):
                    checkpoint_path(self.folder, trial.number, rung).unlink(missing_ok=True)
        reason = self.plan.stop_reason
        status = self.store.set_study_status(
            self.study.id, "stopped" if reason else "complete", reason=reason or self.plan.exhausted_reason
        )
        self.study = status
        self._tell("finished", {"reason": reason})
        return status

    def front(self) -> list[Point]:
        """Number and objective values of the front of those that reached the top rung, by accuracy."""
        return front_of(self.plan.candidates, self.objectives, top=len(self.rungs) - 1)

    def hypervolume(self) -> float | None:
        """Of the front, against the study's reference point; None until that is stated."""
        return hypervolume_of(self.front(), self.objectives, self.study.hypervolume_reference)

    def snapshot(self) -> dict[str, Any]:
        """The state of the study as plain data, for whoever shows it."""
        candidates = self.plan.candidates
        return {
            "name": self.study.name,
            "done": sum(1 for candidate in candidates.values() if candidate.is_failed or candidate.accuracy),
            "budget": self.config.budget,
            "failed": sum(candidate.is_failed for candidate in candidates.values()),
            "jobs": [(number, candidates[number].target, self._states.get(number, "")) for number in self.plan.running],
            "objectives": [objective.name for objective in self.objectives],
            "front": self.front(),
            "hypervolume": self.hypervolume(),
            "reference": dict(self.study.hypervolume_reference),
            "seconds": self.pace.seconds,
            "seconds_left": self.pace.seconds_left(self.plan),
        }

    def _add(self, proposals: Mapping[int, Proposal], seconds: float) -> None:
        """Writes new candidates down, with their share of the time that it took to think of them."""
        for number, proposal in proposals.items():
            record = self.store.add_trial(
                self.study.id,
                architecture_id=proposal.architecture.id,
                architecture=proposal.architecture.to_dict(),
                source=proposal.source,
                seed=self.config.seed,
                proposal=proposal.state,
            )
            self._trial_ids[number] = record.id
            self.store.add_stage_seconds(record.id, {"propose": seconds / len(proposals)})

    def _timing_job(self, planned: PlannedTiming) -> TimingJob:
        job = TimingJob(
            candidates=tuple(
                (number, self.plan.candidates[number].architecture.to_dict()) for number in planned.numbers
            ),
            config=self.config.to_dict(),
            folder=str(self.folder),
            references={str(side): reference for side, reference in self._references.items()},
            reference_ms=dict(self.study.reference_ms),
            threads=self._threads,
        )
        self._under_way.append(_UnderWay(job=job, begun_s=time.perf_counter()))
        for number in planned.numbers:
            self._begin(number, "timing")
        return job

    def _training_job(self, planned: PlannedTraining) -> EvaluationJob:
        number = planned.number
        self.store.start_trial(self._trial_ids[number])
        self.store.record_event(self.study.id, "job", {"rung": planned.rung}, trial_id=self._trial_ids[number])
        job = EvaluationJob(
            number=number,
            architecture=planned.architecture.to_dict(),
            rung=planned.rung,
            rungs=self.rungs,
            config=self.config.to_dict(),
            folder=str(self.folder),
            is_prepared=self._is_prepared(number),
            threads=self._threads,
            device=self._device,
            cache_folder=str(cache_folder()),
        )
        self._under_way.append(_UnderWay(job=job, begun_s=time.perf_counter()))
        self._begin(number, "started", rung=planned.rung)
        return job

    def _job_of(self, number: int) -> _UnderWay:
        """The job that a candidate is part of, the last that was begun."""
        return next(found for found in reversed(self._under_way) if number in found.job.numbers)

    def _is_at_work(self, number: int) -> bool:
        return self.plan.candidates[number].is_running

    def _begin(self, number: int, kind: str, **told: Any) -> None:
        self._states[number] = _STARTS
        self._tell(kind, {"number": number, "source": self.plan.candidates[number].source, **told})

    def _prepared(self, number: int, trial_id: int, update: Mapping[str, Any]) -> None:
        artifact = update["artifact"]
        self.store.record_costs(trial_id, update["figures"])
        self.store.record_artifact(
            trial_id,
            sha256=artifact["sha256"],
            format=artifact["format"],
            num_bytes=artifact["bytes"],
            details=artifact,
        )
        self.store.add_stage_seconds(trial_id, update["seconds"])
        self.plan.figures(number, update["figures"])

    def _measured(self, number: int, trial_id: int, update: Mapping[str, Any]) -> None:
        found = update["measurement"]
        record(self.store, found, update["summary"], trial_id=trial_id)
        self.store.add_stage_seconds(trial_id, update["seconds"])
        if not update["summary"]:
            return  # its own failure is on the way, with the reason
        if self._conditions is None:
            self._conditions = _steady(found["fingerprint"])
        if differences := same_conditions(self._conditions, _steady(found["fingerprint"])):
            self.failed(number, f"timed under other conditions than the trials before: {'; '.join(differences[:3])}")
            return
        self.plan.figures(number, update["figures"])
        self.plan.timed(number)

    def _scored(self, number: int, trial_id: int, update: Mapping[str, Any]) -> None:
        score, rung = update["score"], int(update["rung"])
        if differences := fidelity_differences(self._fidelities.setdefault(rung, score["fidelity"]), score["fidelity"]):
            self.failed(number, f"trained at another fidelity than the trials before: {'; '.join(differences)}")
            return
        self.store.record_score(
            trial_id,
            rung=rung,
            accuracy=score["accuracy"],
            loss=score["loss"],
            fidelity=score["fidelity"],
            curve=[{"images": images, "loss": loss} for images, loss in score["curve"]],
            seconds=score["seconds"],
            weights_path=update["weights_path"],
        )
        self.store.add_stage_seconds(trial_id, update["seconds"])
        self.pace.trained(int(update["images"]), rung=rung)
        is_top = rung == len(self.rungs) - 1
        self.store.set_trial_status(trial_id, "complete" if is_top else "paused")
        self.plan.scored(number, rung, float(score["accuracy"]))
        self._drop_checkpoints(rung)

    def _drop_checkpoints(self, rung: int) -> None:
        """Keeps the checkpoints of those at a rung that are likely to go on."""
        waiting = {
            number: values(self.objectives, {**candidate.figures, "accuracy": candidate.accuracy[rung]})
            for number, candidate in self.plan.candidates.items()
            if max(candidate.accuracy, default=-1) == rung and candidate.target is None and not candidate.is_failed
        }
        numbers = list(waiting)
        order = pareto.best_first(list(waiting.values()), maximise=directions(self.objectives))
        for row in order[_KEPT_CHECKPOINTS:]:
            checkpoint_path(self.folder, numbers[row], rung).unlink(missing_ok=True)

    def _is_prepared(self, number: int) -> bool:
        needed = {objective.name for objective in self.objectives} - {"accuracy"}
        return needed <= set(self.plan.candidates[number].figures)

    def _why_stopped(self, trial: TrialRecord) -> str:
        rung = trial.rung or 0
        return f"not on the front at {self.rungs[rung]:,} pictures"

    def _restore(self) -> None:
        """Brings the plan to where the database says the study is, and jobs under way back to their start."""
        targets = {
            event.trial_id: int(event.data["rung"])
            for event in self.store.events(self.study.id)
            if event.kind == "job" and event.trial_id is not None
        }
        self._restore_conditions()
        for trial, proposal, figures, accuracy in stored_candidates(self.store, self.study.id):
            self._trial_ids[trial.number] = trial.id
            self.plan.restore(
                trial.number, proposal, figures=figures, accuracy=accuracy, is_failed=trial.status == "failed"
            )
            if trial.status in ("queued", "running"):
                self._take_up(trial, targets.get(trial.id, 0), is_scored=targets.get(trial.id, 0) in accuracy)

    def _restore_conditions(self) -> None:
        """What later figures have to agree with; refuses pictures that have changed since."""
        for score in self.store.study_scores(self.study.id):
            self._fidelities.setdefault(score.rung, score.fidelity)
            packed = self._data_hashes.get(int(score.fidelity["resolution"]))
            if packed is not None and packed != score.fidelity["data_hash"]:
                raise SearchError(
                    f"the pictures of study {self.study.name!r} have changed since it began (hash {packed}, then "
                    f"{score.fidelity['data_hash']}); its scores and new ones are not comparable; bring them back, "
                    "or --repeat it under a new name"
                )
        for found in self.store.study_measurements(self.study.id):
            if found.summary and self._conditions is None:
                self._conditions = _steady(found.fingerprint)

    def _take_up(self, trial: TrialRecord, rung: int, *, is_scored: bool) -> None:
        """A trial that was at work when the study ended: either its score was the last thing written, or it goes on."""
        if is_scored:
            self.store.set_trial_status(trial.id, "complete" if rung == len(self.rungs) - 1 else "paused")
            return
        if trial.status == "running":
            self.store.set_trial_status(trial.id, "queued", reason="taken up again")
        if rung > 0:
            self.plan.restart(trial.number)

    def _tell(self, kind: str, data: Mapping[str, Any]) -> None:
        self._listener(self, kind, data)


def _proposals(planned: PlannedJob) -> Mapping[int, Proposal]:
    """Of the candidates that are new."""
    if isinstance(planned, PlannedTiming):
        return planned.proposals
    return {} if planned.proposal is None else {planned.number: planned.proposal}


def _state(update: Mapping[str, Any]) -> str:
    """What a job does after this update."""
    match update["kind"]:
        case "prepared":
            return "waits for its timing"
        case "training":
            return f"trains, {update['images_seen']:,} pictures seen"
        case "measured":
            return "trains"
        case _:
            return ""


def _steady(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """What has to stay the same within a study; the reference may have another resolution, as the network beside it."""
    reference = {name: value for name, value in (fingerprint.get("reference") or {}).items() if name != "resolution"}
    return {**fingerprint, "reference": reference}


def _short(update: Mapping[str, Any]) -> dict[str, Any]:
    """What a listener shows of an update: figures, not samples."""
    shown = {name: update[name] for name in ("figures", "rung", "images_seen") if name in update}
    if "score" in update:
        shown["accuracy"] = update["score"]["accuracy"]
    if "summary" in update:
        shown["summary"] = update["summary"]
    return shown
