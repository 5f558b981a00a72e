"""How a page asks for what is new: one question at a time, none while it is hidden, and again when a server is back."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from planned_studies import tell_trial
from playwright.sync_api import Browser, expect

from bench.dashboard.listening import Listening
from bench.dashboard.serving import DashboardServer
from bench.dashboard.source import Source
from bench.store import open_store

from .following import PLAN, begin, wait_for_front
from .visits import opened, seen

# Counts questions about points, holds each up for longer than the page waits between two, and can hide the page.
_COUNTED = """() => {
  Object.assign(window, { asked: 0, waiting: 0, most: 0 });
  const ask = window.fetch.bind(window);
  window.fetch = async (...given) => {
    if (!String(given[0]?.url ?? given[0]).includes("/points")) return ask(...given);
    window.asked += 1;
    window.waiting += 1;
    window.most = Math.max(window.most, window.waiting);
    await new Promise((done) => setTimeout(done, 1500));
    return ask(...given).finally(() => { window.waiting -= 1; });
  };
  window.hide = (isHidden) => {
    Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  };
}"""


def test_hidden_page_asks_nothing_and_slow_answers_never_overlap(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    begin(db, 5)
    with open_store(db) as store, opened(browser, db) as found:
        found.open()
        found.page.evaluate(_COUNTED)
        found.page.wait_for_function("() => window.asked >= 2")
        assert found.page.evaluate("() => window.most") == 1
        found.page.evaluate("() => window.hide(true)")
        found.page.wait_for_function("() => window.waiting === 0")
        asked = found.page.evaluate("() => window.asked")
        tell_trial(store, store.study("live"), PLAN, 5)
        found.page.wait_for_timeout(2500)
        assert found.page.evaluate("() => window.asked") == asked
        found.page.evaluate("() => window.hide(false)")
        expect(found.find("[data-fact=done]")).to_have_text(re.compile("^6 of "))


def test_pause_holds_the_page_and_counts_what_waits(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    begin(db, 10)
    with open_store(db) as store, opened(browser, db) as found:
        study = store.study("live")
        found.open("table")
        found.page.keyboard.press("p")
        expect(found.find("#live")).to_have_attribute("aria-pressed", "true")
        order = found.order()
        for number in range(10, 13):
            tell_trial(store, study, PLAN, number)
        expect(found.find("#live")).to_have_text(re.compile("paused \N{EN DASH} [3-9] new"))
        assert found.order() == order
        found.page.keyboard.press("p")
        expect(found.find("#trials tbody tr")).to_have_count(13)


def test_server_that_goes_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    begin(db, 10)
    with open_store(db) as store, Source(db) as source:
        first = DashboardServer(source)
        first.start()
        with seen(browser, first.url) as found:
            found.expected += ["ERR_CONNECTION", "Failed to load resource", "ERR_EMPTY_RESPONSE"]
            found.open()
            front = found.numbers("front")
            first.stop()
            expect(found.find("#banner")).to_contain_text("bench dashboard")
            expect(found.find("#live")).to_have_text("no answer")
            assert found.numbers("front") == front
            tell_trial(store, store.study("live"), PLAN, 10)
            port = int(first.url.rsplit(":", 1)[1].strip("/"))
            with DashboardServer(source, Listening(port=port)):
                expect(found.find("#banner")).to_be_hidden()
                wait_for_front(found, store)


def test_writer_and_page_never_lock_each_other(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    begin(db, 5)
    failures: list[BaseException] = []
    over = threading.Event()

    def write() -> None:
        try:
            with open_store(db, timeout_s=5.0) as store:
                study = store.study("live")
                for number in range(5, 400):
                    if over.is_set():
                        return
                    tell_trial(store, study, PLAN, number)
        except BaseException as error:
            failures.append(error)

    with opened(browser, db) as found:
        found.open()
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for view in ("table", "parallel", "progress", "front", "table", "front"):
                found.view(view)
                found.page.wait_for_timeout(400)
        finally:
            over.set()
            writer.join()
        assert failures == []
        expect(found.find("#banner")).to_be_hidden()
        with open_store(db, read_only=True) as store:
            wait_for_front(found, store)
