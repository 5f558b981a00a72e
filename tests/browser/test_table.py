from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from command import bench
from planned_studies import write_study
from plans import Plan
from playwright.sync_api import Browser, expect

import bench as library
from bench.report.views import StudyView, study_view
from bench.store import open_store

from .visits import Visit, opened


@pytest.fixture(scope="module")
def view(several: Path) -> StudyView:
    with open_store(several, read_only=True) as store:
        return study_view(store, "main")


def test_front_comes_first_and_every_trial_is_there(main: Visit, view: StudyView) -> None:
    main.open("table", study="main")
    order = main.order()
    assert order[: len(view.front)] == [found.number for found in view.front]
    assert sorted(order) == [found.number for found in view.trials]
    expect(main.find("#table-note")).to_contain_text(f"of {len(view.trials)}")


def test_columns_sort_both_ways_with_unknown_last(main: Visit, view: StudyView) -> None:
    main.open("table", study="main")
    heading = main.find("[data-sort=latency_ms]")
    heading.click()
    main.page.wait_for_url("**sort=latency_ms**")
    expect(heading.locator("xpath=..")).to_have_attribute("aria-sort", "ascending")
    known = sorted(
        (found.figures["latency_ms"], found.number) for found in view.trials if "latency_ms" in found.figures
    )
    unknown = [found.number for found in view.trials if "latency_ms" not in found.figures]
    assert unknown
    assert main.order() == [number for _, number in known] + unknown
    main.find("[data-sort=latency_ms]").click()
    main.page.wait_for_url("**sort=-latency_ms**")
    expect(main.find("[data-sort=latency_ms]").locator("xpath=..")).to_have_attribute("aria-sort", "descending")
    assert main.order()[: len(known)] == [number for _, number in reversed(known)]
    assert main.order()[len(known) :] == unknown


@pytest.mark.parametrize(
    ("text", "keeps"),
    [
        ("latency_ms<12", lambda found: found.figures.get("latency_ms", 99) < 12),
        ("params_m >= 8 status=complete", lambda found: found.figures["params_m"] >= 8 and found.status == "complete"),
        ("status=failed", lambda found: found.status == "failed"),
        ("depth>=6", lambda found: any(stage["depth"] >= 6 for stage in found.architecture["stages"])),
        ("stage3.mixer~att", lambda found: found.architecture["stages"][2]["mixer"] == "attention"),
        ("fastvit_t8", lambda found: found.name == "fastvit_t8"),
        ("front", lambda found: found.is_front),
    ],
)
def test_filter_keeps_what_it_says(main: Visit, view: StudyView, text: str, keeps: object) -> None:
    assert callable(keeps)
    wanted = sorted(found.number for found in view.trials if keeps(found))
    assert 0 < len(wanted) < len(view.trials)
    main.open("table", study="main")
    main.find("#filter").fill(text)
    expect(main.find("#filter-note")).to_have_text(f"{len(wanted)} of {len(view.trials)} trials")
    assert sorted(main.order()) == wanted
    main.page.reload()
    main.drawn("table")
    expect(main.find("#filter")).to_have_value(text)
    assert sorted(main.order()) == wanted


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("latncy_ms<12", "unknown name latncy_ms; known: accuracy, latency_ms"),
        ("latency_ms<fast", "fast is no number; < compares numbers; use = or ~ for words"),
    ],
)
def test_wrong_filter_is_explained_in_one_line(main: Visit, text: str, says: str) -> None:
    main.open("table", study="main")
    main.find("#filter").fill(text)
    expect(main.find("#filter-note")).to_contain_text(says)
    expect(main.find("#filter")).to_have_attribute("aria-invalid", "true")


def test_nothing_left_by_the_filter_offers_a_way_back(main: Visit, view: StudyView) -> None:
    main.open("table", wait=False, study="main", filter="latency_ms<0")
    expect(main.find("#table .message")).to_contain_text("No trial passes the filter")
    main.find("#table .message button").click()
    expect(main.find("#filter-note")).to_have_text(f"{len(view.trials)} trials")


def test_pages_hold_two_hundred_rows(browser: Browser, tmp_path: Path) -> None:
    write_study(tmp_path / "bench.db", Plan(num_trials=450))
    with opened(browser, tmp_path / "bench.db") as visit:
        visit.open("table")
        assert len(visit.order()) == 200
        visit.page.get_by_role("button", name="Next", exact=True).click()
        visit.page.get_by_role("button", name="Next", exact=True).click()
        expect(visit.find("#table-note")).to_contain_text("rows 401 to 450 of 450")
        assert len(visit.order()) == 50
        visit.find("[data-sort=number]").click()
        expect(visit.find("#table-note")).to_contain_text("rows 1 to 200")
        assert visit.order() == list(range(200))


def test_numbers_are_those_of_the_command_and_of_the_frame(main: Visit, several: Path, tmp_path: Path) -> None:
    main.open("table", study="main")
    shown = json.loads(bench("show", "main", "--db", several, "--json", cwd=tmp_path).out)
    figures = {found["number"]: found["figures"] for found in shown["trials"]}
    frame = library.load_study("main", db=several).trials()
    first = main.order()[0]
    cells = main.find(f"#trials tr[data-number='{first}'] td.number").all_inner_texts()
    row = frame[frame["number"] == first].iloc[0]
    assert cells[0] == f"{row['accuracy']:.4g}"
    assert cells[1].startswith(f"{row['latency_ms']:.4g} [")
    assert cells[2] == f"{row['params_m']:.4g}"
    assert cells[2] == f"{figures[first]['params_m']:.4g}"
    assert main.order()[: len(shown["front"])] == shown["front"]
    expect(main.find("[data-fact=hypervolume]")).to_have_text(f"{shown['hypervolume']:.5g}")


def test_csv_of_what_is_shown_equals_the_database(main: Visit, view: StudyView) -> None:
    main.open("export", study="main", filter="status%3Dcomplete")
    with main.page.expect_download() as waiting:
        main.page.get_by_role("button", name="The trials shown, as CSV").click()
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_text())))
    complete = [found for found in view.trials if found.status == "complete"]
    assert [int(row["number"]) for row in rows] == [found.number for found in complete]
    for row, found in zip(rows, complete, strict=True):
        assert float(row["latency_ms"]) == pytest.approx(found.figures["latency_ms"], rel=1e-6)
        assert float(row["accuracy"]) == pytest.approx(found.accuracy[2], rel=1e-6)
        assert row["stage1.depth"] == str(found.architecture["stages"][0]["depth"])


def test_choices_of_the_space_are_columns_when_asked_for(main: Visit, view: StudyView) -> None:
    main.open("table", study="main")
    main.page.get_by_label("choices of the space").check()
    expect(main.find("[data-sort='stage1.depth']")).to_be_attached()
    main.find("[data-sort='stage1.depth']").click()
    main.page.wait_for_url("**sort=stage1.depth**")
    depths = [found.architecture["stages"][0]["depth"] for found in view.trials]
    first = main.order()[0]
    assert view.trials[first].architecture["stages"][0]["depth"] == min(depths)


def test_name_of_a_trial_stays_in_sight_beside_its_last_column(main: Visit) -> None:
    main.open("table", study="main")
    name = main.find("#trials tbody th.pinned").first
    before = name.bounding_box()
    main.find("#table .wide").evaluate("element => { element.scrollLeft = 400 }")
    assert main.find("#table .wide").evaluate("element => element.scrollLeft") > 0
    after = name.bounding_box()
    assert before is not None
    assert after is not None
    assert after["x"] <= before["x"]
    expect(name).to_be_in_viewport(ratio=1)
