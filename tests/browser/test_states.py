"""States that no search means to be in: each says what is so and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from planned_studies import add_study, tell_trial, write_study
from plans import Plan
from playwright.sync_api import Browser, expect

from bench.store import open_store

from .visits import Visit, opened


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "bench.db"


def test_empty_database_says_how_to_begin_and_sees_the_first_study(browser: Browser, db: Path) -> None:
    with open_store(db) as store, opened(browser, db) as found:
        found.open(wait=False)
        expect(found.find("#no-study")).to_contain_text("No studies yet")
        expect(found.find("#no-study code")).to_contain_text("bench search")
        add_study(store, Plan(name="first", status=None))
        expect(found.find("#study")).to_have_value("first")
        expect(found.find("#no-study")).to_be_hidden()


def test_study_without_trials(browser: Browser, db: Path) -> None:
    write_study(db, Plan(num_trials=0, status="interrupted"))
    with opened(browser, db) as found:
        found.open(wait=False)
        for view in ("front", "table", "parallel"):
            found.go(view)
            expect(found.find(f"#{view} .message")).to_contain_text("No trials yet")
            expect(found.find(f"#{view} .message")).to_contain_text("bench search --resume synthetic")
        found.go("progress")
        expect(found.find("#progress .message")).to_contain_text("No hypervolume yet")
        found.go("trial")
        expect(found.find("#trial .message")).to_contain_text("No trial to show")


def test_all_failed_tells_of_what(browser: Browser, db: Path) -> None:
    write_study(db, Plan(num_trials=7, failed=1.0, names=()))
    with opened(browser, db) as found:
        found.open(wait=False)
        told = found.find("#front .message")
        expect(told).to_contain_text("All trials failed")
        expect(told).to_contain_text("the training diverged: loss is nan")
        found.find("#front .message a").click()
        expect(found.find("#trial")).to_contain_text("the training diverged")


def test_one_trial_is_a_front(browser: Browser, db: Path) -> None:
    write_study(db, Plan(num_trials=1))
    with opened(browser, db) as found:
        found.open()
        assert found.numbers("front") == [0]
        expect(found.find("#front .notes")).to_contain_text("One trial on the front so far")
        found.tour()


def test_nothing_at_the_top_rung_yet(browser: Browser, db: Path) -> None:
    write_study(db, Plan(num_trials=6, failed=0.0, top=0.0, names=(), status=None))
    with opened(browser, db) as found:
        found.open()
        found.page.get_by_label("stopped early").check()
        found.page.wait_for_url("**stopped=1**")
        assert len(found.numbers("early")) == 6
        assert found.numbers("front") == []


def test_figures_that_are_not_known_are_dashes(browser: Browser, db: Path) -> None:
    unknown = {number: {"latencies": {}, "scores": (), "status": "running", "reason": None} for number in range(3)}
    write_study(db, Plan(num_trials=3, names=(), status=None, others=unknown))
    with opened(browser, db) as found:
        found.open(wait=False)
        expect(found.find("#front .message")).to_contain_text("Nothing on the front yet")
        found.view("table")
        assert found.find("#trials td.number").all_inner_texts().count("\N{EN DASH}") >= 6


def test_extreme_figures_keep_the_page_whole(browser: Browser, db: Path) -> None:
    extreme = {
        0: {"latencies": {"cpu": 1e-6}, "scores": (0.0, 0.0, 0.0)},
        1: {"latencies": {"cpu": 1e9}, "scores": (1.0, 1.0, 1.0)},
        2: {"latencies": {"cpu": 7.0}, "scores": (0.5, 0.5, 0.5), "costs": {}},
    }
    write_study(db, Plan(num_trials=3, names=(), failed=0.0, others=extreme))
    with opened(browser, db) as found:
        found.walk()
        found.go("front", xlog="1")
        assert found.numbers("front") == [0, 2, 1]
        found.go("front", x="params_m")


def test_equal_figures_do_not_divide_by_nothing(browser: Browser, db: Path) -> None:
    same = {number: {"latencies": {"cpu": 5.0}, "scores": (0.1, 0.2, 0.3)} for number in range(5)}
    write_study(db, Plan(num_trials=5, names=(), failed=0.0, others=same))
    with opened(browser, db) as found:
        found.open(size="latency_ms")
        assert sorted(found.numbers("front")) == [0, 1, 2, 3, 4]
        found.go("parallel", constant="1")
        found.drawn("parallel")


def test_one_objective(browser: Browser, db: Path) -> None:
    write_study(db, Plan(num_trials=20, objectives=("accuracy",)))
    with opened(browser, db) as found:
        found.walk()
        found.view("front")
        expect(found.find("#y-axis")).to_have_value("accuracy")
        assert len(found.numbers("front")) >= 1


def test_six_objectives_have_a_panel_a_pair(browser: Browser, db: Path) -> None:
    objectives = ("accuracy", "latency_ms", "params_m", "macs_g", "artifact_mb")
    write_study(db, Plan(num_trials=40, objectives=objectives, runners=("pi5", "pixel8")))
    with opened(browser, db) as found:
        found.open()
        panels = found.find(".panel")
        expect(panels).to_have_count(15)
        panels.last.click()
        found.page.wait_for_url("**x=**")
        expect(panels.last).to_have_attribute("aria-pressed", "true")
        found.tour()


def test_address_of_a_study_that_is_not_there(main: Visit) -> None:
    main.open(wait=False, study="gone")
    expect(main.find("#banner")).to_contain_text("no study gone; known:")
    expect(main.find("#no-study")).to_contain_text("No such study")


def test_address_that_is_cut_off_still_opens(main: Visit) -> None:
    main.open("nothing", wait=False, study="main", selected="3-7.1x", budget="latency_ms~", range="a", page="-3")
    expect(main.find("#front-frame")).to_be_visible()
    expect(main.find("#picked")).to_have_text("5 selected")


def test_studies_are_changed_by_the_list(main: Visit) -> None:
    main.open(study="main", selected="0-3", filter="status%3Dcomplete")
    main.find("#study").select_option("again")
    main.page.wait_for_url("**study=again**")
    expect(main.find("#study")).to_have_value("again")
    expect(main.find("[data-fact=done]")).to_have_text("120 of 120")
    expect(main.find("#filter")).to_have_value("")
    expect(main.find("#picked")).to_have_text("")
    main.page.go_back()
    expect(main.find("[data-fact=done]")).to_have_text("120 of 120")
    expect(main.find("#picked")).to_have_text("4 selected")


def test_silent_study_is_called_so(browser: Browser, db: Path) -> None:
    plan = Plan(num_trials=3, status=None)
    write_study(db, plan)  # long ago, and it never said that it ended
    with opened(browser, db) as found:
        found.open()
        expect(found.find("#status")).to_have_text("running, but silent")
        with open_store(db) as store:
            tell_trial(store, store.study("synthetic"), plan, 3)
        expect(found.find("#status")).to_have_text("running")


def test_study_that_is_left_while_it_is_drawn_says_nothing(main: Visit) -> None:
    """Plotly tells of what it has drawn later than the study was chosen in whose place another comes."""
    main.open(study="main")
    main.page.evaluate(
        """async () => {
          const study = document.querySelector("#study");
          study.value = "again";
          study.dispatchEvent(new Event("change"));
          await Plotly.relayout(document.querySelector("#front .chart"), { "xaxis.range": [1, 2] });
        }"""
    )
    main.settle()
    expect(main.find("#study")).to_have_value("again")
    expect(main.find("#banner")).to_be_hidden()
