"""The jobs that workers do: as data that travels, and who does which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.study.evaluation import EvaluationJob, evaluate
from bench.study.timing import TimingJob, time_candidates
from bench.study.worker import Update, failure

Job = EvaluationJob | TimingJob


def job_to_dict(job: Job) -> dict[str, Any]:
    """Plain JSON-able data."""
    return {"kind": "time" if isinstance(job, TimingJob) else "train", "job": job.to_dict()}


def job_from_dict(data: Mapping[str, Any]) -> Job:
    """The job that `job_to_dict` gave."""
    return (TimingJob if data["kind"] == "time" else EvaluationJob).from_dict(data["job"])


def work(job: Job) -> Iterator[tuple[int, Update]]:
    """Does a job; yields number and update of its candidates. What goes wrong is an update too: it is data."""
    kind, times = job.last_update
    unfinished = dict.fromkeys(job.numbers, times)
    try:
        for number, update in time_candidates(job) if isinstance(job, TimingJob) else evaluate(job):
            if update["kind"] in (kind, "failed"):
                unfinished[number] = 0 if update["kind"] == "failed" else unfinished[number] - 1
            yield number, update
    except Exception as error:
        for number, left in unfinished.items():
            if left > 0:
                yield number, failure(error)
