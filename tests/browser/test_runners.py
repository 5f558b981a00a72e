from __future__ import annotations

import re
from pathlib import Path

from planned_studies import write_study
from plans import Plan
from playwright.sync_api import Browser, expect
from store.fleets import add_client, add_job, add_runner

from bench.store import open_fleet

from .visits import Visit, opened


def test_no_runner_is_a_state_with_a_way_on(main: Visit) -> None:
    main.open("runners", study="main")
    expect(main.find("#runners .message")).to_contain_text("bench runners register")
    expect(main.find("#runners")).to_contain_text("a synthetic CPU")


def test_runners_are_told_with_lease_queue_and_last_error(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    write_study(db, Plan(num_trials=5))
    with open_fleet(db) as fleet:
        client, runner = add_client(fleet), add_runner(fleet, "pixel8")
        add_job(fleet, client, runner, "first")
        first = add_job(fleet, client, runner, "second")
        fleet.start_attempt(first.id, runner.id)
        broken = add_job(fleet, client, add_runner(fleet, "pi5"), "third")
        attempt = fleet.start_attempt(broken.id, broken.runner_id)
        fleet.fail_attempt(attempt.fence, "worker_crash", "segmentation fault", retry=False)
    with opened(browser, db) as visit:
        visit.open("runners")
        cards = visit.find("#runners .card.runner")
        expect(cards).to_have_count(2)
        pixel = cards.filter(has_text="pixel8")
        expect(pixel).to_contain_text(first.id[:8])
        expect(pixel).to_contain_text("attempt 1")
        expect(pixel).to_contain_text("onnxruntime")
        expect(pixel.locator("dl")).to_contain_text(re.compile(r"heartbeat\d+ \w+ ago"))
        expect(cards.filter(has_text="pi5")).to_contain_text("worker_crash: segmentation fault")
