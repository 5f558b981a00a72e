"""The jobs of a study that workers do now: who takes part, what each last said, and where their time goes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.study.jobs import Job
from bench.study.worker import Update

# State of a candidate whose worker has said nothing yet.
_STARTS = "starts"


@dataclass(slots=True, eq=False)
class _Begun:
    """A job, when it began, and the seconds that its stages account for."""

    job: Job
    begun_s: float
    busy_s: float = 0.0


class UnderWay:
    """Jobs from their beginning to their end."""

    def __init__(self) -> None:
        self._jobs: list[_Begun] = []
        self._states: dict[int, str] = {}

    def begin(self, job: Job) -> None:
        """A job that a worker is given now."""
        self._jobs.append(_Begun(job=job, begun_s=time.perf_counter()))
        for number in job.numbers:
            self._states[number] = _STARTS

    def says(self, number: int, update: Update) -> None:
        """A worker has told of a candidate, and of what took how long."""
        self._states[number] = _state_after(update)
        self._job_of(number).busy_s += sum((update.get("seconds") or {}).values())

    def state(self, number: int) -> str:
        """What a worker does with a candidate, in words."""
        return self._states.get(number, "")

    def numbers_of(self, job: Job) -> list[int]:
        """The candidates that are in no later job: one that is scored may be on its way to the next rung before its job
        has ended."""
        return [number for number in job.numbers if self._job_of(number).job is job]

    def at_work(self, numbers: Sequence[int]) -> int:
        """Which of the candidates of one job its worker was busy with: the first that nothing was said of."""
        return next((number for number in numbers if self._states[number] == _STARTS), numbers[0])

    def end(self, job: Job) -> float:
        """A job is over; gives the seconds that none of its stages account for."""
        ended = next(found for found in self._jobs if found.job is job)
        self._jobs.remove(ended)
        return max(0.0, time.perf_counter() - ended.begun_s - ended.busy_s)

    def _job_of(self, number: int) -> _Begun:
        """The job that a candidate is part of, the last that was begun."""
        return next(found for found in reversed(self._jobs) if number in found.job.numbers)


def _state_after(update: Update) -> str:
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
