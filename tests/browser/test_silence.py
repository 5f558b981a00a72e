"""A search that has died: the page says so, while nothing new comes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from driving import searching
from planned_studies import BEGIN, write_study
from plans import Plan
from playwright.sync_api import Browser, expect

from bench.dashboard.serving import DashboardServer
from bench.dashboard.source import Source
from bench.store import open_store

from .visits import opened, seen

PLAN = Plan(num_trials=5, status=None)


def test_search_whose_process_is_killed_is_not_live(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    write_study(db, PLAN)
    with open_store(db) as store, searching(store, store.study("synthetic")) as process, opened(browser, db) as found:
        found.open()
        # Nothing was written for very long, but its process lives.
        expect(found.find("#live")).to_have_text("\N{BLACK CIRCLE} live")
        expect(found.find("#status")).to_have_text("running")
        process.kill()
        process.wait()
        expect(found.find("#live")).to_have_text("process gone")
        expect(found.find("#status")).to_have_text("process gone")
        expect(found.find("#status")).to_have_attribute("title", _contains("bench search --resume synthetic"))
        expect(found.find("#study option")).to_have_text("synthetic (process gone)")
        found.view("progress")
        expect(found.find("#progress .card").first).to_contain_text("running, but its process has gone")


def test_silence_grows_while_nothing_comes(browser: Browser, tmp_path: Path) -> None:
    """Where its folder is not of this machine: the server answers that nothing is new, and time goes on."""
    db = tmp_path / "bench.db"
    write_study(db, PLAN)
    last = BEGIN + timedelta(seconds=60 * (PLAN.num_trials - 1))
    with (
        Source(db, clock=lambda: last + timedelta(seconds=115)) as source,
        DashboardServer(source) as server,
        seen(browser, server.url) as found,
    ):
        found.open()
        expect(found.find("#live")).to_have_text("\N{BLACK CIRCLE} live")
        expect(found.find("#status")).to_have_text("running, but silent")
        expect(found.find("#live")).to_have_text("silent")


def _contains(text: str):  # type: ignore[no-untyped-def]  # a pattern of any text with this in it
    import re

    return re.compile(re.escape(text))
