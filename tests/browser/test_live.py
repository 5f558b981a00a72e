"""A page that is open while a search writes: it follows, and nothing that the reader has done moves."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from planned_studies import add_study, tell_trial, write_study
from plans import Plan
from playwright.sync_api import Browser, expect

from bench.dashboard.listening import Listening
from bench.dashboard.serving import DashboardServer
from bench.dashboard.source import Source
from bench.report.views import study_view
from bench.store import Store, StudyRecord, open_store

from .visits import PATIENCE_MS, Visit, context_of, opened, visit

PLAN = Plan(name="live", num_trials=40, failed=0.1, top=0.7, status=None)
_COMMIT_TO_PIXEL_S = 2.0
_BEST = {"status": "complete", "reason": None, "latencies": {"cpu": 1.0}, "scores": (0.5, 0.8, 0.99)}

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


@pytest.mark.alone
def test_search_is_followed_from_its_first_trial_to_its_last(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    with open_store(db) as store:
        study = add_study(store, PLAN)
        with opened(browser, db) as found:
            found.open(wait=False)
            expect(found.find("#front .message")).to_contain_text("No trials yet")
            found.page.wait_for_function("() => window.Plotly")  # what opening the page costs is timed elsewhere
            delays = [_told(found, store, study, number) for number in range(10)]
            store.set_study_status(study.id, "complete")
            expect(found.find("#status")).to_have_text("complete")
            expect(found.find("[data-fact=done]")).to_have_text("10 of 40")
    assert sorted(delays)[len(delays) * 9 // 10] <= _COMMIT_TO_PIXEL_S, delays


def test_zoom_selection_and_scroll_stay(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    _begin(db, 25)
    with open_store(db) as store, opened(browser, db, viewport={"width": 1280, "height": 520}) as found:
        study = store.study("live")
        found.open(selected="0-3")
        whole = found.zoom()
        box = found.find("#front .chart").bounding_box()
        assert box is not None
        found.page.mouse.move(box["x"] + 200, box["y"] + 40)
        found.page.mouse.down()
        found.page.mouse.move(box["x"] + 600, box["y"] + 180, steps=6)
        found.page.mouse.up()
        found.page.evaluate("() => scrollTo(0, 40)")
        before, state = found.zoom(), found.state()
        assert before != whole
        for number in range(25, 28):
            _told(found, store, study, number)
        assert found.zoom() == before
        assert found.state() == state
        assert found.page.evaluate("() => scrollY") == 40
        expect(found.find("#picked")).to_have_text("4 selected")


def test_changes_are_told_to_those_who_listen(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    _begin(db, 5)
    best = replace(PLAN, others={5: _BEST})
    with open_store(db) as store, opened(browser, db) as found:
        found.open()
        tell_trial(store, store.study("live"), best, 5)
        expect(found.find("#announce")).to_contain_text(re.compile(r"front now 1, hypervolume \+"))
        expect(found.find("[data-fact=front]")).to_have_text("1")


def test_new_points_are_ringed_and_open_panels_stay_open(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    _begin(db, 5)
    best = replace(PLAN, others={5: _BEST, 6: _BEST})
    with open_store(db) as store, opened(browser, db) as found:
        study = store.study("live")
        found.open()
        tell_trial(store, study, best, 5)
        expect(found.find(".ring.fresh")).to_have_count(1)
        expect(found.find(".ring.fresh")).to_have_count(0)  # after a while
        found.view("parallel")
        found.find("[data-axis=latency_ms]").click()
        found.page.get_by_label("from, latency").fill("5")
        tell_trial(store, study, best, 6)
        expect(found.find("[data-fact=done]")).to_have_text(re.compile("^7 of "))
        expect(found.find("[data-axis=latency_ms]")).to_have_attribute("aria-expanded", "true")
        expect(found.page.get_by_label("from, latency")).to_have_value("5")


def test_hidden_page_asks_nothing_and_slow_answers_never_overlap(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    _begin(db, 5)
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
    _begin(db, 10)
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


def test_open_trial_is_kept_up_with(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    _begin(db, 3)
    with open_store(db) as store, opened(browser, db) as found:
        study = store.study("live")
        architecture = {"family": "fastvit", **PLAN_NETWORK}
        record = store.add_trial(
            study.id, architecture_id="f" * 16, architecture=architecture, source="sampler:tpe", seed=0, proposal={}
        )
        found.open("trial", trial=str(record.number))
        expect(found.find("#trial .chip").first).to_have_text("queued")
        store.start_trial(record.id)
        expect(found.find("#trial .chip").first).to_have_text("running")
        store.set_trial_status(record.id, "failed", reason="out of memory")
        expect(found.find("#trial")).to_contain_text("out of memory")


def test_writer_and_page_never_lock_each_other(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    _begin(db, 5)
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
            _wait_for_front(found, store)


def test_server_that_goes_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    _begin(db, 10)
    with open_store(db) as store, Source(db) as source, context_of(browser) as context:
        first = DashboardServer(source)
        first.start()
        with visit(context, first.url) as found:
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
                _wait_for_front(found, store)


PLAN_NETWORK = {
    "settings": {"input_resolution": 256, "stem_width": 48, "activation": "gelu", "train_branches": 1,
                 "head_squeeze_excite": True, "head_expansion": 2},
    "stages": [
        {"mixer": "repmixer", "depth": 1, "width": width, "mlp_ratio": 3, "mixer_kernel": 3, "ffn_kernel": 7,
         "position": "none"} | ({"downsample_kernel": 7} if place else {})
        for place, width in enumerate((48, 96, 192, 384))
    ],
}  # fmt: skip


def _begin(db: Path, num_trials: int) -> None:
    write_study(db, replace(PLAN, num_trials=num_trials))


def _told(found: Visit, store: Store, study: StudyRecord, number: int) -> float:
    """Seconds from the last commit about a trial until the page shows the front that follows from it."""
    tell_trial(store, study, PLAN, number)
    begin = time.monotonic()
    _wait_for_front(found, store, tried=number + 1)
    return time.monotonic() - begin


def _wait_for_front(found: Visit, store: Store, *, tried: int | None = None) -> None:
    view = study_view(store, "live")
    wanted = [trial.number for trial in view.front]
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:
        shown = found.find("body[data-drawnfront]").count() and wanted and found.numbers("front") == wanted
        done = found.find("[data-fact=done]").inner_text().split(" of ")[0] if tried is not None else ""
        if (shown or not wanted) and (tried is None or done == str(tried)):
            return
        assert time.monotonic() < deadline, (wanted, done)
        found.page.wait_for_timeout(50)
