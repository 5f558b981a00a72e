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
    unfinished = dict.fromkeys(job.numbers)
    last = "measured" if isinstance(job, TimingJob) else "scored"
    try:
        for number, update in time_candidates(job) if isinstance(job, TimingJob) else evaluate(job):
            if update["kind"] in (last, "failed"):
                unfinished.pop(number, None)
            yield number, update
    except Exception as error:
        for number in unfinished:
            yield number, failure(error)
