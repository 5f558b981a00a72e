"""A study under way: the plan, the store and the listeners in step.

Each thing that happens is written to the store before anything follows from it, so a study killed at any moment goes
on where its database says it was. Only this process writes; workers send updates, and so do registered runners by way
of bench/study/remote.py, which is looked at whenever the next job is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.networks.cost import cost_quantities
from bench.report.feasible import limits_of
from bench.space import CostFunction, Space
from bench.store import SCORES, Store, StudyRecord, TrialRecord
from bench.study.config import StudyConfig
from bench.study.consistency import Consistency
from bench.study.evaluation import EvaluationJob, cache_folder, checkpoint_path
from bench.study.halving import rung_images
from bench.study.jobs import Job
from bench.study.objectives import study_objectives
from bench.study.outcomes import Outcomes, short
from bench.study.outlook import Pace, Point, front_of, hypervolume_of, snapshot
from bench.study.plan import PlannedTiming, PlannedTraining
from bench.study.proposer import Proposal
from bench.study.remote import EVENT, Remote
from bench.study.retraining import Retraining, to_train_again
from bench.study.stored import make_plan
from bench.study.taking_up import take_up, take_up_remote
from bench.study.timer import Timer
from bench.study.timing import References, TimingJob
from bench.study.underway import UnderWay
from bench.study.untrained import Standards
from bench.study.warm_start import kept_earlier
from bench.study.worker import Update, crash_report

Listener = Callable[["Session", str, Mapping[str, Any]], None]


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
        timers: the runners that candidates are timed on; none when latency is no objective.
        references: the pinned network in their formats, at every resolution.
        remote: leads to those that are not of this machine; None where all are.
        data_hashes: content of the packed pictures by their resolution.
        listener: is called after each event with its kind and data.
        costs: what rules read.
        standards: where the parts of a zero-cost score lie in this space; None where candidates are trained.
        size_standards: where they lie at each size; None where no constraint asks for it.
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
        timers: Sequence[Timer],
        references: References,
        data_hashes: Mapping[int, str],
        listener: Listener,
        costs: CostFunction = cost_quantities,
        remote: Remote | None = None,
        standards: Standards | None = None,
        size_standards: Standards | None = None,
    ) -> None:
        self.store, self.study, self.config, self.space, self.folder = store, study, config, space, folder
        self.objectives = study_objectives(config)
        self._limits = limits_of(config.to_dict())
        proxy = config.proxy
        self.rungs = rung_images(
            proxy.images, rungs=proxy.rungs, reduction=proxy.reduction, batch_size=proxy.batch_size
        )
        self.plan = make_plan(
            config,
            space,
            self.objectives,
            self.rungs,
            concurrency=concurrency,
            costs=costs,
            earlier=kept_earlier(store, study.id),
        )
        self.retraining = Retraining(store, study, config)
        self.pace = Pace(self.rungs, reduction=proxy.reduction, budget=config.budget)
        self._concurrency = concurrency
        self._threads, self._device, self._listener = threads, device, listener
        self._timers, self._references, self._remote = tuple(timers), references, remote
        self._standards, self._size_standards = standards, size_standards
        self._consistency = Consistency(store, study, data_hashes)
        self._under_way = UnderWay()
        self._outcomes = Outcomes(
            store,
            self.plan,
            self.pace,
            objectives=self.objectives,
            rungs=self.rungs,
            folder=folder,
            consistency=self._consistency,
            remote=remote,
            tell=self._tell,
        )
        self._trial_ids = self._outcomes.trial_ids
        take_up(store, study, self.plan, self._outcomes, top=len(self.rungs) - 1)
        if remote is not None:
            take_up_remote(store, study, self.plan, remote, self._lacking)

    def next_job(self) -> Job | None:
        """The next job, written down as started; None when nothing can be started now."""
        if self._remote is not None:
            for number, update in self._remote.received():
                self._take_in(number, update)
        begin = time.perf_counter()
        planned = self.plan.next_job()
        if planned is None:
            return self._retraining_job()
        self._add(planned.proposals, time.perf_counter() - begin)
        return self._timing_job(planned) if isinstance(planned, PlannedTiming) else self._training_job(planned)

    def update(self, number: int, update: Update) -> None:
        """Takes in what a worker sent of a candidate; what comes after a failure is too late."""
        if number in self.retraining.running:
            self._under_way.says(number, update)
            self._take_in_again(number, update)
            return
        if not self.plan.candidates[number].is_running:
            return
        self._under_way.says(number, update)
        self._outcomes.apply(number, update)

    def ended(self, job: Job, *, has_died: bool) -> None:
        """A job that has ended, with its worker or without. Of a batch that died with it, the candidate that was at
        work fails; those that had no part in it are timed again. What was prepared for others is sent to them."""
        if isinstance(job, EvaluationJob) and job.seed is not None:
            if self.retraining.running.get(job.number) == job.seed:
                told = crash_report(self.folder, job.number) or "killed, or out of memory"
                self._take_in_again(job.number, {"kind": "failed", "reason": f"the worker died: {told}"})
            self._under_way.end(job)
            return
        left = [number for number in self._under_way.numbers_of(job) if self.plan.candidates[number].is_running]
        if has_died and left:
            self.failed(self._under_way.at_work(left))
        elif left and isinstance(job, TimingJob) and self._remote is not None:
            self._send(self._remote, left)
        for number in left:
            if self.plan.candidates[number].is_running:
                self.plan.untimed(number)
        # What no stage accounts for: starting the worker, moving data, Ray.
        elsewhere = self._under_way.end(job)
        for number in job.numbers:
            self.store.add_stage_seconds(self._trial_ids[number], {"elsewhere": elsewhere / len(job.numbers)})

    def failed(self, number: int, reason: str | None = None) -> None:
        """A candidate whose job ended without a result; without a reason its worker died."""
        if self.plan.candidates[number].is_running:
            told = crash_report(self.folder, number) or "killed, or out of memory"
            self._outcomes.fail(number, reason or f"the worker died: {told}")

    @property
    def is_done(self) -> bool:
        """Whether nothing runs and nothing is left to start: neither of the search nor of the front's retraining."""
        return self.plan.is_done and not self.retraining.running and not self.num_again()

    def num_again(self) -> int:
        """Trainings with fresh seeds to come, while the search goes on as if it stayed as it is; none after a stop."""
        return 0 if self.plan.stop_reason is not None else self.retraining.num_left(self._to_train_again())

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
        """Number and objective values of the front, by accuracy: the final one once it is known."""
        provisional = self.provisional_front()
        final = self.retraining.front(provisional, self.objectives) if self.plan.is_done else None
        return provisional if final is None else final

    def provisional_front(self) -> list[Point]:
        """The front of those that reached the top rung, by their scores there."""
        return front_of(self.plan.candidates, self.objectives, top=len(self.rungs) - 1, limits=self._limits)

    def hypervolume(self) -> float | None:
        """Of the front, against the study's reference point; None until that is stated."""
        return hypervolume_of(self.provisional_front(), self.objectives, self.study.hypervolume_reference)

    def snapshot(self) -> dict[str, Any]:
        """The state of the study as plain data, for whoever shows it."""
        return snapshot(self, self._under_way, self._remote)

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
        # A candidate that is prepared again may have been timed on some of the runners before.
        lacking = {name for number in planned.numbers for name in self._lacking(number)}
        job = TimingJob(
            candidates=tuple(
                (number, self.plan.candidates[number].architecture.to_dict()) for number in planned.numbers
            ),
            config=self.config.to_dict(),
            folder=str(self.folder),
            timers=tuple(timer.to_dict() for timer in self._timers if timer.name in lacking),
            references=self._references,
            reference_ms=dict(self.study.reference_ms),
            threads=self._threads,
            standards=self._size_standards,
            cache_folder=str(cache_folder()),
        )
        self._under_way.begin(job)
        is_here = any(not timer["is_remote"] for timer in job.timers)
        for number in planned.numbers:
            self._begin(number, "timing", is_here=is_here)
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
            standards=self._standards,
        )
        self._under_way.begin(job)
        self._begin(number, "started", rung=planned.rung, is_trained=self.config.proxy.kind == "training")
        return job

    def _retraining_job(self) -> EvaluationJob | None:
        """The next training of the front, when the search is over and a place is free."""
        is_over = self.plan.is_done and self.plan.stop_reason is None
        if not is_over or len(self.retraining.running) >= self._concurrency:
            return None
        job = self.retraining.next_job(
            self._to_train_again(),
            architectures={number: found.architecture for number, found in self.plan.candidates.items()},
            folder=self.folder,
            threads=self._threads,
            device=self._device,
        )
        if job is None:
            return None
        self._under_way.begin(job)
        self._tell("retraining", {"number": job.number, "seed": job.seed, "left": self.num_again()})
        return job

    def _to_train_again(self) -> set[int]:
        return to_train_again(self.provisional_front(), self.plan.candidates, top=len(self.rungs) - 1)

    def _take_in_again(self, number: int, update: Mapping[str, Any]) -> None:
        """What a worker sent of a training of the front."""
        told: dict[str, Any] = {"number": number, "seed": self.retraining.running[number]}
        if update["kind"] == "scored":
            fault = self._consistency.score_fault(update["score"]["fidelity"], len(self.rungs))
            update = update if fault is None else {"kind": "failed", "reason": fault}
        if update["kind"] not in ("scored", "failed"):
            if update.get("seconds"):
                self.store.add_stage_seconds(self._trial_ids[number], update["seconds"])
            self._tell(str(update["kind"]), told | short(dict(update)))
            return
        if update["kind"] == "scored":
            self.pace.trained(int(update["images"]), rung=len(self.rungs))
        kind, more = self.retraining.take_in(number, self._trial_ids[number], update)
        self._tell(kind, told | more)

    def _begin(self, number: int, kind: str, **told: Any) -> None:
        self._tell(kind, {"number": number, "source": self.plan.candidates[number].source, **told})

    def _lacking(self, number: int) -> tuple[str, ...]:
        """Names of the runners that have not timed a candidate yet."""
        figures = self.plan.candidates[number].figures
        return tuple(timer.name for timer in self._timers if timer.figure not in figures)

    def _send(self, remote: Remote, numbers: Sequence[int]) -> None:
        """To the registered runners that have to time them."""
        missing = {number: self._lacking(number) for number in numbers}
        remote.send(missing)
        for number in numbers:
            self.plan.sent(number)
        runners = [name for name in remote.runners if any(name in names for names in missing.values())]
        self._tell("away", {"numbers": list(numbers), "runners": runners})

    def _take_in(self, number: int | None, update: Update) -> None:
        """What came from a registered runner: of a candidate, or of the runner itself."""
        if number is not None:
            candidate = self.plan.candidates[number]
            if update["kind"] != "untimed" and not candidate.is_failed:
                self._outcomes.apply(number, update)
            elif candidate.is_away:  # else it is prepared again already
                self.plan.untimed(number)
            return
        kind = update["kind"]
        told = {name: value for name, value in update.items() if name != "kind"}
        if kind == "sent":
            self.store.record_event(self.study.id, EVENT, told)
        elif kind == "stop":
            if self.plan.stop_reason is not None:
                return
            self.plan.stop(str(update["reason"]))
        self._tell(kind, told)

    def _is_prepared(self, number: int) -> bool:
        needed = {objective.name for objective in self.objectives} - set(SCORES)
        return needed <= set(self.plan.candidates[number].figures)

    def _why_stopped(self, trial: TrialRecord) -> str:
        rung = trial.rung or 0
        if (broken := self.plan.broken(trial.number)) is not None:
            return broken
        return f"not on the front at {self.rungs[rung]:,} pictures"

    def _tell(self, kind: str, data: Mapping[str, Any]) -> None:
        self._listener(self, kind, data)
