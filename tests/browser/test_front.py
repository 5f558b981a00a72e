from __future__ import annotations

from pathlib import Path

import pytest
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
    place = _place_of(main, number)
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
    expect(main.find(".legend")).to_contain_text("circle, square, triangle")


def test_axes_tell_their_better_end(main: Visit) -> None:
    main.open(study="main")
    titles = main.page.evaluate(
        "() => ['xaxis', 'yaxis'].map(name => document.querySelector('#front .chart').layout[name].title.text)"
    )
    assert [title.split("   ")[1] for title in titles] == ["\N{LEFTWARDS ARROW} better", "better \N{RIGHTWARDS ARROW}"]


def test_failed_trials_are_a_chip_that_lists_them(main: Visit, view: StudyView) -> None:
    failed = [found.number for found in view.trials if found.status == "failed"]
    main.open(study="main")
    main.find(".legend .chip").click()
    main.drawn("table")
    expect(main.find("#filter-note")).to_have_text(f"{len(failed)} of {len(view.trials)} trials")
    assert main.order() == failed


def test_click_selects_and_shift_adds(main: Visit, view: StudyView) -> None:
    main.open(study="main")
    first, second = view.front[0].number, view.front[-1].number
    _click(main, first)
    expect(main.find("#picked")).to_have_text("1 selected")
    assert main.state()["selected"] == [str(first)]
    main.page.wait_for_timeout(400)  # sooner it would be a double click, which shows the whole plane
    main.page.keyboard.down("Shift")
    _click(main, second)
    main.page.keyboard.up("Shift")
    expect(main.find("#picked")).to_have_text("2 selected")


def test_budget_typed_names_the_best_under_it(main: Visit, view: StudyView) -> None:
    main.open(study="main")
    main.find("[data-budget=latency_ms]").fill("12")
    main.find("[data-budget=latency_ms]").press("Enter")
    under = [found for found in view.front if found.figures["latency_ms"] <= 12]
    best = max(under, key=lambda found: found.accuracy[2])
    told = main.find("#under-budget")
    expect(told).to_contain_text(f"{len(under)} trial")
    expect(told).to_contain_text(f"#{best.number}")
    assert main.state()["budget"] == ["latency_ms~12"]
    expect(main.find("#announce")).to_contain_text("latency ≤ 12 ms")


def test_budget_line_is_dragged_and_keyed(main: Visit) -> None:
    main.open(study="main")
    line = main.find(".budget.x")
    box = line.bounding_box()
    assert box is not None
    main.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    main.page.mouse.down()
    main.page.mouse.move(box["x"] - 300, box["y"] + 100, steps=5)
    main.page.mouse.up()
    main.page.wait_for_url("**budget=latency_ms**")
    before = float(main.state()["budget"][0].split("~")[1])
    line.press("ArrowLeft")
    after = float(main.state()["budget"][0].split("~")[1])
    assert after < before
    expect(line).to_have_attribute("aria-valuenow", str(after).removesuffix(".0"))
    line.press("Delete")
    expect(line).to_have_attribute("aria-valuetext", "none")
    assert "budget" not in main.state()


def test_lasso_selects_for_all_views(main: Visit, view: StudyView) -> None:
    main.open(study="main")
    main.page.get_by_role("button", name="Lasso").click()
    main.settle()
    expect(main.page.get_by_role("button", name="Lasso")).to_have_attribute("aria-pressed", "true")
    x, y = _place_of(main, view.front[0].number)
    main.page.mouse.move(x - 12, y - 12)
    main.page.mouse.down()
    for dx, dy in ((12, -12), (12, 12), (-12, 12), (-12, -12)):
        main.page.mouse.move(x + dx, y + dy, steps=4)
    main.page.mouse.up()
    main.page.wait_for_url("**selected=**")
    expect(main.find("#picked")).to_contain_text("selected")
    main.view("table")
    expect(main.find(f"#trials tr[data-number='{view.front[0].number}'] input")).to_be_checked()


def test_selection_elsewhere_dims_the_others_here(main: Visit, view: StudyView) -> None:
    main.open("table", study="main")
    main.select(view.front[0].number, view.front[1].number)
    main.view("front")
    assert main.traces()["front"]["selectedpoints"] == [0, 1]
    assert main.traces()["dominated"]["selectedpoints"] == []


def test_keep_exclude_and_undo(main: Visit, view: StudyView) -> None:
    main.open("table", study="main")
    chosen = [view.front[0].number, view.front[1].number]
    main.select(*chosen)
    main.page.get_by_role("button", name="Keep").click()
    expect(main.find("#filter-note")).to_contain_text("2 of ")
    assert set(main.order()) == set(chosen)
    main.page.get_by_role("button", name="Undo").click()
    expect(main.find("#picked")).to_have_text("2 selected")
    main.page.get_by_role("button", name="Exclude").click()
    expect(main.find(f"#trials tr[data-number='{chosen[0]}']")).to_have_count(0)


def test_baselines_measured_here_are_labelled_and_switched(main: Visit) -> None:
    main.open(study="main")
    assert set(main.traces()["measured"]["text"]) >= {"fastvit_t8", "mobileone_s0"}
    expect(main.find(".legend")).to_contain_text("baselines, measured here")
    main.page.get_by_label("baselines measured here").uncheck()
    main.page.wait_for_url("**measured=0**")
    assert "measured" not in main.traces()


def test_published_figures_stand_on_axes_of_their_own_and_say_so(main: Visit, view: StudyView) -> None:
    main.open(study="main")
    assert "published" not in main.traces()
    main.page.get_by_label("published", exact=True).check()
    note = main.find("#published-note")
    expect(note).to_contain_text("multiples of FastViT-T8")
    expect(note).to_contain_text("not their values")
    published = main.traces()["published"]
    place = published["text"].index("fastvit_t8")
    assert (published["x"][place], published["y"][place]) == (1, 1)
    t8 = next(found for found in view.trials if found.name == "fastvit_t8")
    assert main.traces()["front"]["x"][0] == pytest.approx(
        view.front[0].figures["latency_ms"] / t8.figures["latency_ms"], rel=1e-4
    )
    title = main.page.evaluate("() => document.querySelector('#front .chart').layout.xaxis.title.text")
    assert "times FastViT-T8" in title
    main.page.get_by_label("published", exact=True).uncheck()
    expect(note).to_have_count(0)


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
        expect(visit.find(".legend")).to_contain_text(f"breaks a rule {len(slow)}")


def test_baselines_of_other_conditions_are_not_drawn_unasked(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    write_study(db, Plan(num_trials=20))
    write_study(
        db, Plan(name="synthetic-baselines", num_trials=2, names=("fastvit_t8", "fastvit_t12"), machine="another")
    )
    with opened(browser, db) as visit:
        visit.open(study="synthetic")
        assert "measured" not in visit.traces()
        expect(visit.find("#incomparable")).to_contain_text("another")
        visit.page.get_by_role("button", name="Show them anyway").click()
        expect(visit.find(".legend")).to_contain_text("baselines, measured elsewhere")
        assert visit.traces()["measured"]["marker"]["symbol"] == "star-open"


def _click(visit: Visit, number: int) -> None:
    """Points at a trial of the front, and clicks when the page has seen which one it is."""
    x, y = _place_of(visit, number)
    visit.page.mouse.move(x, y)
    expect(visit.find("#inspector h2")).to_contain_text(f"#{number}")
    visit.page.mouse.click(x, y)


def _place_of(visit: Visit, number: int) -> tuple[float, float]:
    """Where a trial of the front stands on the screen."""
    script = """(number) => {
      const chart = document.querySelector("#front .chart");
      const front = chart.data.find((trace) => trace.name === "front");
      const at = front.customdata.indexOf(number);
      const box = chart.getBoundingClientRect();
      const { xaxis, yaxis } = chart._fullLayout;
      return [box.left + xaxis._offset + xaxis.c2p(front.x[at]), box.top + yaxis._offset + yaxis.c2p(front.y[at])];
    }"""
    visit.settle()
    x, y = visit.page.evaluate(script, number)
    return float(x), float(y)
