"""What a hub's database says of its jobs: read beside the hub while it works, and held to account at the end."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.fleets import check_told

from bench.fleet.limits import Limits
from bench.store.fleet import open_fleet
from bench.store.fleet_records import AttemptRecord, JobEventRecord, JobRecord

# How far a wait before another attempt may be off from its doubling (bench/fleet/attempts.py).
_JITTER = (0.75, 1.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """All that the database tells of one job."""

    job: JobRecord
    attempts: tuple[AttemptRecord, ...]
    events: tuple[JobEventRecord, ...]
    result: Mapping[str, Any] | None

    @property
    def lost(self) -> tuple[AttemptRecord, ...]:
        """Attempts that came to nothing."""
        return tuple(attempt for attempt in self.attempts if attempt.status != "done")


class Ledger:
    """The jobs of one database."""

    def __init__(self, db: Path) -> None:
        self._db = db

    def num_ended(self) -> int:
        """Jobs that have ended, however."""
        return int(self._one("SELECT count(*) FROM jobs WHERE status IN ('done', 'failed', 'cancelled')"))

    def most_attempts(self, runner: str) -> int:
        """Of the jobs of a runner that have not ended; 0: there are none."""
        return int(
            self._one(
                "SELECT coalesce(max(num_attempts), 0) FROM jobs JOIN runners ON runners.id = jobs.runner_id"
                " WHERE runners.name = ? AND jobs.status IN ('queued', 'leased')",
                runner,
            )
        )

    def is_leased(self, runner: str) -> bool:
        """Whether a runner has a lease now."""
        return bool(
            self._one(
                "SELECT count(*) FROM attempts JOIN runners ON runners.id = attempts.runner_id"
                " WHERE runners.name = ? AND attempts.status = 'leased'",
                runner,
            )
        )

    def lives(self, job_ids: Collection[str]) -> tuple[Life, ...]:
        """Of these jobs, which have to be all that there are."""
        assert self._one("SELECT count(*) FROM jobs") == len(job_ids)
        found = []
        with open_fleet(self._db) as fleet:
            for job_id in job_ids:
                check_told(fleet, job_id)
                found.append(
                    Life(
                        job=fleet.job(job_id),
                        attempts=fleet.attempts(job_id),
                        events=fleet.events(job_id),
                        result=fleet.job_result(job_id),
                    )
                )
        return tuple(found)

    def _one(self, query: str, *values: str) -> Any:
        with closing(sqlite3.connect(self._db, timeout=60.0)) as connection:
            return connection.execute(query, values).fetchone()[0]


def check_life(life: Life, label: str) -> None:
    """The job was done, exactly once, with the result of its own artifact; each attempt before is explained."""
    kinds = [event.kind for event in life.events if event.kind != "look"]
    again = ["leased", "requeued"] * len(life.lost)
    assert kinds == ["queued", *again, "leased", "done"], (life.job, kinds)
    *lost, last = life.attempts
    assert last.status == "done"
    assert tuple(lost) == life.lost
    told = [event for event in life.events if event.kind == "requeued"]
    for attempt, event in zip(lost, told, strict=True):
        assert event.fence == attempt.fence
        assert (event.data["attempt"], event.data["kind"], event.data["reason"]) == (
            attempt.number,
            attempt.kind,
            attempt.reason,
        )
        whole = Limits().backoff_s * 2 ** (attempt.number - 1)
        assert whole * _JITTER[0] <= event.data["delay_s"] <= whole * _JITTER[1]
    assert life.result is not None
    (measurement,) = life.result["measurements"]
    assert measurement["label"] == label
    assert measurement["verdict"] == "valid", measurement["reason"]  # not judged yet


def check_turns(lives: Collection[Life]) -> None:
    """No runner ever had two leases at once, and no fence was given twice."""
    events = sorted((event for life in lives for event in life.events), key=lambda event: event.sequence)
    held: dict[str, int | None] = {}
    for event in events:
        runner = event.data["runner"]
        if event.kind == "leased":
            assert held.get(runner) is None, event
            held[runner] = event.fence
        elif event.kind in ("requeued", "done", "failed", "look"):
            assert held[runner] == event.fence, event
            held[runner] = event.fence if event.kind == "look" else None
    fences = [attempt.fence for life in lives for attempt in life.attempts]
    assert len(set(fences)) == len(fences)
