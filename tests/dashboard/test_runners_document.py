"""Runners as a page shows them: there or away, at work or idle, and what went wrong last."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from made_studies import MovingClock, add_mixed, made_store
from store.fleets import add_client, add_job, add_runner

from bench.dashboard.source import Source
from bench.store import open_fleet


def test_runners_are_told_with_lease_and_last_error(tmp_path: Path) -> None:
    path, clock = tmp_path / "bench.db", MovingClock()
    made_store(path).close()
    with open_fleet(path, clock=clock) as fleet, Source(path, clock=clock) as source:
        client, runner = add_client(fleet), add_runner(fleet)
        (told,) = source.runners()["runners"]
        assert (told["name"], told["shown_status"], told["lease"], told["last_error"]) == (
            "pixel8",
            "ready",
            None,
            None,
        )
        assert (told["kind"], told["runtimes"]) == ("cpu", ["onnxruntime"])
        job = add_job(fleet, client, runner)
        assert source.runners()["runners"][0]["queued"] == 1
        attempt = fleet.start_attempt(job.id, runner.id)
        (told,) = source.runners()["runners"]
        assert told["lease"]["job"] == job.id
        assert told["queued"] == 0
        fleet.fail_attempt(attempt.fence, "worker_crash", "it <b>broke</b>", retry=False)
        clock.now += timedelta(minutes=5)
        (told,) = source.runners()["runners"]
        assert told["last_error"]["kind"] == "worker_crash"
        assert told["last_error"]["reason"] == "it <b>broke</b>"
        assert told["shown_status"] == "away"
        assert told["last_seen"] == "5 min ago"


def test_without_runners_it_is_told_where_studies_ran(tmp_path: Path) -> None:
    with made_store(tmp_path / "bench.db") as store:
        add_mixed(store)
    with Source(tmp_path / "bench.db") as source:
        found = source.runners()
    assert found["runners"] == []
    assert found["here"] == [{"runner": "cpu", "machine": "a made CPU", "studies": ["made"]}]
