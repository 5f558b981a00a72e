"""A process that works on jobs and says after each that it is done: `leaser.py URL WORK CLIENT`.

It waits for a line on its input before the first one, so that several start together. WORK `take` leases whatever is
queued until nothing is left; `make` submits jobs of its own for the client and goes on until it is killed.
"""

from __future__ import annotations

import itertools
import sys

from fleets import add_job, finish

from bench.errors import FleetError
from bench.store import FleetStore, open_fleet


def main(url: str, work: str, client: str) -> None:
    print("ready", flush=True)
    sys.stdin.readline()
    with open_fleet(url) as fleet:
        if work == "take":
            take(fleet)
        else:
            make(fleet, int(client))


def take(fleet: FleetStore) -> None:
    while jobs := fleet.unfinished():
        for job in jobs:
            try:
                attempt = fleet.start_attempt(job.id, job.runner_id)
            except FleetError:
                # The other process has it, or has the runner.
                continue
            finish(fleet, attempt.fence)
            print(job.id, attempt.fence, flush=True)


def make(fleet: FleetStore, client: int) -> None:
    runner = fleet.runners()[0]
    for index in itertools.count():
        job = add_job(fleet, client, runner, f"key{index}")
        failing = fleet.start_attempt(job.id, runner.id)
        fleet.record_look(failing.fence, {"measurements": [index]})
        fleet.fail_attempt(failing.fence, "worker_crash", "killed by signal 11", retry=True, delay_s=2.0)
        finish(fleet, fleet.start_attempt(job.id, runner.id).fence)
        print(job.id, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
