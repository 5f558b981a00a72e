"""What is drawn of thousands of trials, and how long the page is busy with twenty thousand; benchmarks time more."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from planned_studies import tell_trial, write_study
from plans import Plan
from playwright.sync_api import Browser, expect

from bench.api import load_study
from bench.report.views import study_view
from bench.store import open_store

from .visits import context_of, opened, served, visit

# Enough to be thinned, of either kind, and as many as one may wait for.
NUM, MANY = 7_000, 20_000
PLAN = Plan(name="many", num_trials=NUM, failed=0.04, top=0.8, status=None)
MANY_PLAN = replace(PLAN, num_trials=MANY)
# Twice what is aimed at on a quiet machine of two cores.
_FIRST_PAINT_S = 6.0
_UPDATE_BLOCK_MS = 500.0
_WATCH = """
window.blocks = [];
new PerformanceObserver((list) => list.getEntries().forEach((entry) => window.blocks.push(entry.duration)))
  .observe({ type: "longtask", buffered: true });
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    db = tmp_path_factory.mktemp("many") / "bench.db"
    write_study(db, PLAN)
    return db


@pytest.fixture(scope="module")
def very_many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    db = tmp_path_factory.mktemp("very-many") / "bench.db"
    write_study(db, MANY_PLAN)
    return db


@pytest.mark.slow
def test_front_is_complete_and_the_rest_is_thinned_in_words(browser: Browser, many: Path) -> None:
    with open_store(many, read_only=True) as store:
        view = study_view(store, "many")
    with opened(browser, many) as found:
        found.open()
        assert found.numbers("front") == [trial.number for trial in view.front]
        drawn = len(found.numbers("dominated"))
        assert drawn <= 3300
        expect(found.find("#thinning")).to_contain_text("front complete")
        before = _inside(found.traces()["dominated"])
        box = found.find("#front .chart").bounding_box()
        assert box is not None
        found.page.mouse.move(box["x"] + 250, box["y"] + 120)
        found.page.mouse.down()
        found.page.mouse.move(box["x"] + 420, box["y"] + 260, steps=5)
        found.page.mouse.up()
        (x0, x1), (y0, y1) = found.zoom()
        at_first = before(x0, x1, y0, y1)
        deadline = time.monotonic() + 30
        while _inside(found.traces()["dominated"])(x0, x1, y0, y1) <= at_first:
            assert time.monotonic() < deadline, "a zoom shows more of what was thinned"
            found.page.wait_for_timeout(100)
        assert found.zoom() == [[x0, x1], [y0, y1]]
        found.open("table")
        assert len(found.order()) == 200


@pytest.mark.slow
def test_counts_are_those_of_the_database(browser: Browser, many: Path) -> None:
    trials = load_study("many", db=many).trials()
    fast = trials["latency_ms"] < 12
    by_status = trials["status"].value_counts()
    num_front = int(trials["is_front"].sum())
    num_dominated = int(by_status["complete"]) - num_front
    with opened(browser, many) as found:
        found.open(stopped="1")
        legend = found.find("#front .legend")
        drawn = {kind: len(found.numbers(kind)) for kind in ("dominated", "early")}
        assert sum(drawn.values()) < 3300
        expect(legend).to_contain_text(f"front {num_front}")
        expect(legend).to_contain_text(f"dominated {drawn['dominated']:,} of {num_dominated:,}")
        expect(legend).to_contain_text(f"stopped early {drawn['early']:,} of {by_status['stopped']:,} (")
        expect(legend.locator(".chip")).to_have_text(f"{by_status['failed']:,} failed trials")
        expect(found.find("[data-fact=front]")).to_have_text(f"{num_front:,}")
        expect(found.find("[data-fact=failed]")).to_have_text(f"{by_status['failed']:,}")
        expect(found.find("#filter-note")).to_have_text(f"{NUM:,} trials")
        found.view("table")
        expect(found.find("#table-note")).to_contain_text(f"of {NUM:,} trials")
        for text, mask in (
            ("latency_ms<12", fast),
            ("latency_ms<12 status=failed", fast & (trials["status"] == "failed")),
            ("mixer~attention front", _has_attention(trials) & trials["is_front"]),
        ):
            found.find("#filter").fill(text)
            expect(found.find("#filter-note")).to_have_text(f"{int(mask.sum()):,} of {NUM:,} trials")
        found.find("#filter").fill("status=failed")
        expect(found.find("#table-note")).to_have_text(f"rows 1 to 200 of {by_status['failed']:,}")  # all are here now


@pytest.mark.slow
@pytest.mark.alone
def test_first_paint_and_updates_are_quick(browser: Browser, very_many: Path) -> None:
    with (
        open_store(very_many) as store,
        served(very_many) as url,
        context_of(browser) as context,
        visit(context, url) as found,
    ):
        found.page.add_init_script(_WATCH)
        begin = time.monotonic()
        found.open("table")
        assert time.monotonic() - begin <= _FIRST_PAINT_S
        found.view("front")
        found.page.wait_for_timeout(500)
        for number in range(MANY, MANY + 5):
            found.page.evaluate("() => { window.blocks.length = 0 }")
            tell_trial(store, store.study("many"), MANY_PLAN, number)
            expect(found.find("[data-fact=tried], [data-fact=done]").first).to_contain_text(f"{number + 1:,}")
            found.page.wait_for_timeout(300)
            blocks = found.page.evaluate("() => window.blocks")
            assert max(blocks, default=0.0) <= _UPDATE_BLOCK_MS, blocks


def _has_attention(trials: pd.DataFrame) -> pd.Series:
    return trials["architecture"].map(lambda found: any(stage["mixer"] == "attention" for stage in found["stages"]))


def _inside(trace: dict[str, list[float]]):  # type: ignore[no-untyped-def]  # a count of the points in a window
    points = list(zip(trace["x"], trace["y"], strict=True))
    return lambda x0, x1, y0, y1: sum(x0 <= x <= x1 and y0 <= y <= y1 for x, y in points)
