from __future__ import annotations

from pathlib import Path

import pytest
from made_studies import add_final, made_store
from planned_studies import write_study
from plans import Plan, trial
from playwright.sync_api import Browser, expect

from bench.report.views import StudyView, study_view
from bench.store import open_store

from .visits import Visit, opened


@pytest.fixture(scope="module")
def view(several: Path) -> StudyView:
    with open_store(several, read_only=True) as store:
        return study_view(store, "main")


def test_front_on_the_page_is_that_of_the_database(main: Visit, view: StudyView) -> None:
    main.open(study="main")
    assert main.numbers("front") == [found.number for found in view.front]
    dominated = {found.number for found in view.trials if found.rung == view.top_rung and not found.is_front}
    failed = {found.number for found in view.trials if found.status == "failed"}
    assert set(main.numbers("dominated")) == dominated - failed
    assert main.traces()["front"]["x"] == pytest.approx([found.figures["latency_ms"] for found in view.front], rel=1e-6)
    expect(main.find("[data-fact=front]")).to_have_text(str(len(view.front)))
    expect(main.find("[data-fact=hypervolume]")).to_have_text(f"{view.hypervolume:.5g}")


def test_attained_line_goes_through_the_front(main: Visit, view: StudyView) -> None:
    main.open(study="main")
    line = main.traces()["attained"]
    assert line["x"] == sorted(line["x"])
    assert line["y"] == sorted(line["y"])
    assert line["line"]["shape"] == "hv"


def test_intervals_are_drawn_and_can_be_switched_off(main: Visit, view: StudyView) -> None:
    main.open(study="main")
    first = view.front[0].latencies["latency_ms"]
    bars = main.traces()["front"]["error_x"]
    assert bars["array"][0] == pytest.approx(first["high_ms"] - first["ms"], rel=1e-4)
    assert bars["arrayminus"][0] == pytest.approx(first["ms"] - first["low_ms"], rel=1e-4)
    main.page.get_by_label("intervals").uncheck()
    main.page.wait_for_url("**intervals=0**")
    assert "array" not in main.traces()["front"].get("error_x", {})


def test_trial_under_the_keys_is_told_in_full(main: Visit, view: StudyView) -> None:
    main.open(study="main")
    main.find("#front-frame").focus()
    main.page.keyboard.press("ArrowRight")
    cheapest = view.front[0]
    expect(main.find("#inspector h2")).to_contain_text(f"#{cheapest.number}")
    told = main.find("#inspector").inner_text()
    found = cheapest.latencies["latency_ms"]
    assert f"{found['ms']:.4g}" in told
    assert f"{found['low_ms']:.4g}" in told
    assert f"{cheapest.accuracy[2]:.4g}" in told
    assert "Against" in told
    assert "latency" in told
    assert "stage 1:" in (main.find("#inspector .strip svg").get_attribute("aria-label") or "")
    expect(main.find(".ring.focused")).to_have_count(1)
    expect(main.find("#announce")).to_contain_text(f"1 of {len(view.front)} on the front")


def test_pointer_tells_the_same_as_the_keys(main: Visit, view: StudyView) -> None:
    main.open(study="main")
    number = view.front[2].number
    place = main.place_of(number)
    main.page.mouse.move(*place)
    expect(main.find("#inspector h2")).to_contain_text(f"#{number}")


def test_axes_are_chosen_and_kept_in_the_address(main: Visit) -> None:
    main.open(study="main")
    main.find("#x-axis").select_option("params_m")
    main.page.wait_for_url("**x=params_m**")
    main.page.get_by_label("log").first.check()
    main.page.wait_for_url("**xlog=1**")
    main.page.reload()
    main.drawn("front")
    expect(main.find("#x-axis")).to_have_value("params_m")
    layout = main.page.evaluate("() => document.querySelector('#front .chart')._fullLayout.xaxis.type")
    assert layout == "log"
    assert main.traces()["attained"]["x"] == []  # no line over figures that the study does not optimise


def test_third_figure_is_told_by_size_and_by_shape(main: Visit) -> None:
    main.open(study="main", size="params_m")
    marker = main.traces()["front"]["marker"]
    assert len(set(marker["size"])) > 1
    assert set(marker["symbol"]) <= {"circle", "square", "triangle-up"}
    assert len(set(marker["symbol"])) > 1
    expect(main.find("#front .legend")).to_contain_text("circle, square, triangle")


def test_axes_tell_their_better_end(main: Visit) -> None:
    main.open(study="main")
    titles = main.page.evaluate(
        "() => ['xaxis', 'yaxis'].map(name => document.querySelector('#front .chart').layout[name].title.text)"
    )
    assert [title.split("   ")[1] for title in titles] == ["\N{LEFTWARDS ARROW} better", "better \N{RIGHTWARDS ARROW}"]


def test_failed_trials_are_a_chip_that_lists_them(main: Visit, view: StudyView) -> None:
    failed = [found.number for found in view.trials if found.status == "failed"]
    main.open(study="main")
    main.find("#front .legend .chip").click()
    main.drawn("table")
    expect(main.find("#filter-note")).to_have_text(f"{len(failed)} of {len(view.trials)} trials")
    assert main.order() == failed


def test_stopped_trials_are_shown_when_asked_for_and_explained(main: Visit, view: StudyView) -> None:
    main.open(study="main")
    assert main.numbers("early") == []
    main.page.get_by_label("stopped early").check()
    main.page.wait_for_url("**stopped=1**")
    stopped = {found.number for found in view.trials if found.status == "stopped"}
    assert set(main.numbers("early")) == stopped
    expect(main.find("#front .notes")).to_contain_text("fewer pictures")


def test_trials_that_break_a_rule_by_measurement_are_hollow(browser: Browser, tmp_path: Path) -> None:
    plan = Plan(num_trials=30, failed=0.0, top=1.0, rules=("latency_ms <= 20",))
    write_study(tmp_path / "bench.db", plan)
    slow = {number for number in range(30) if trial(plan, number).latencies["cpu"] > 20}
    assert slow
    with opened(browser, tmp_path / "bench.db") as visit:
        visit.open()
        assert set(visit.numbers("infeasible")) == slow
        assert visit.traces()["infeasible"]["marker"]["symbol"] == "x-open"
        expect(visit.find("#front .legend")).to_contain_text(f"breaks a rule {len(slow)}")


def test_a_final_front_is_called_so_and_who_fell_out_is_told(browser: Browser, tmp_path: Path) -> None:
    with made_store(tmp_path / "made.db") as store:
        standing = study_view(store, add_final(store).name).standing
    with opened(browser, tmp_path / "made.db") as found:
        found.open()
        assert found.numbers("front") == [0, 1]
        assert sorted(found.numbers("dominated")) == [2, 5]
        expect(found.find("#standing")).to_contain_text(f"{standing}. All stand at the scores of the search")
        expect(found.find("#front .legend")).to_contain_text("final front 2")
        fact = found.page.locator("#facts > div", has=found.find("[data-fact=front]"))
        expect(fact).to_have_text("final front2")
        expect(fact).to_have_attribute("title", standing)
        found.go("table")
        found.page.locator("#table tbody tr", has_text="#5").hover()
        expect(found.find("#inspector .note").first).to_have_text("dominated, sampler:tpe, fell out when trained again")
        found.go("trial", trial="5")
        expect(found.find("#trial")).to_contain_text("fell out when trained again")


def test_a_provisional_front_is_called_so(main: Visit, view: StudyView) -> None:
    main.open(study="main")
    expect(main.find("#standing")).to_have_text(f"{view.standing}.")
    expect(main.find("#front .legend")).to_contain_text(f"provisional front {len(view.front)}")
