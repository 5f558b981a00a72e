"""Several pages poll while a search writes: no lock error on either side, and every commit lands."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from planned_studies import write_study
from plans import Plan

from bench.dashboard.serving import DashboardServer
from bench.dashboard.source import Source
from bench.store import open_store

from .asked import ask

POLLERS, TRIALS, BEGUN = 3, 12, 5
_PLAN = Plan(name="live", num_trials=BEGUN, status=None)
# As a search writes: a store of its own in a process of its own, a transaction for each thing that it tells.
_WRITER = """
import sys
from planned_studies import tell_trial
from plans import Plan
from bench.store import open_store
with open_store(sys.argv[1], timeout_s=5.0) as store:
    study = store.study("live")
    for number in range(int(sys.argv[2]), int(sys.argv[3])):
        tell_trial(store, study, Plan(name="live", status=None), number)
"""


def test_writer_and_pollers_never_lock_each_other(tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    write_study(db, _PLAN)
    over = threading.Event()
    refused: list[str] = []
    heard: list[set[int]] = [set() for _ in range(POLLERS)]

    def poll(url: str, numbers: set[int]) -> None:
        """As often as answers come, which is more than a page asks; once more after the last commit."""
        cursor, is_last = "", False
        while not is_last:
            is_last = over.is_set()
            try:
                answer = ask(url, f"/api/studies/1/points?after={cursor}")
            except OSError as error:
                refused.append(str(error))
                return
            if answer.status not in (200, 204):
                refused.append(answer.error)
            if answer.status == 200:
                cursor = answer.json["cursor"]
                numbers.update(answer.json["rows"]["number"])
            time.sleep(0.02)

    command = [sys.executable, "-c", _WRITER, str(db), str(BEGUN), str(BEGUN + TRIALS)]
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    with Source(db) as source, DashboardServer(source) as server:
        pollers = [threading.Thread(target=poll, args=(server.url, numbers)) for numbers in heard]
        for thread in pollers:
            thread.start()
        writer = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        over.set()
        for thread in pollers:
            thread.join()
        shown = json.loads(ask(server.url, "/api/studies/1/points").body)
    assert (writer.returncode, writer.stderr) == (0, "")
    assert refused == []
    everything = set(range(BEGUN + TRIALS))
    assert all(numbers == everything for numbers in heard)
    with open_store(db, read_only=True) as store:
        assert {trial.number for trial in store.trials(1)} == everything
        assert shown["counts"]["tried"] == len(everything)
