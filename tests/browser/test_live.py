"""A page that is open while a search writes: it follows, and nothing that the reader has done moves."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from planned_studies import add_study, tell_trial
from playwright.sync_api import Browser, expect

from bench.store import open_store

from .following import BEST, PLAN, begin, told
from .visits import opened

_COMMIT_TO_PIXEL_S = 2.0

PLAN_NETWORK = {
    "settings": {"input_resolution": 256, "stem_width": 48, "activation": "gelu", "train_branches": 1,
                 "head_squeeze_excite": True, "head_expansion": 2},
    "stages": [
        {"mixer": "repmixer", "depth": 1, "width": width, "mlp_ratio": 3, "mixer_kernel": 3, "ffn_kernel": 7,
         "position": "none"} | ({"downsample_kernel": 7} if place else {})
        for place, width in enumerate((48, 96, 192, 384))
    ],
}  # fmt: skip


@pytest.mark.alone
def test_search_is_followed_from_its_first_trial_to_its_last(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    with open_store(db) as store:
        study = add_study(store, PLAN)
        with opened(browser, db) as found:
            found.open(wait=False)
            expect(found.find("#front .message")).to_contain_text("No trials yet")
            found.page.wait_for_function("() => window.Plotly")  # what opening the page costs is timed elsewhere
            delays = [told(found, store, study, number) for number in range(10)]
            store.set_study_status(study.id, "complete")
            expect(found.find("#status")).to_have_text("complete")
            expect(found.find("[data-fact=done]")).to_have_text("10 of 40")
    assert sorted(delays)[len(delays) * 9 // 10] <= _COMMIT_TO_PIXEL_S, delays


def test_zoom_selection_and_scroll_stay(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    begin(db, 25)
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
            told(found, store, study, number)
        assert found.zoom() == before
        assert found.state() == state
        assert found.page.evaluate("() => scrollY") == 40
        expect(found.find("#picked")).to_have_text("4 selected")


def test_changes_are_told_to_those_who_listen(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    begin(db, 5)
    best = replace(PLAN, others={5: BEST})
    with open_store(db) as store, opened(browser, db) as found:
        found.open()
        tell_trial(store, store.study("live"), best, 5)
        expect(found.find("#announce")).to_contain_text(re.compile(r"front now 1, hypervolume \+"))
        expect(found.find("[data-fact=front]")).to_have_text("1")


def test_new_points_are_ringed_and_open_panels_stay_open(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    begin(db, 5)
    best = replace(PLAN, others={5: BEST, 6: BEST})
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


def test_open_trial_is_kept_up_with(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    begin(db, 3)
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
