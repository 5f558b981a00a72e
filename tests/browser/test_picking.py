"""Selecting on the front and elsewhere: one selection for all views."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from bench.report.views import StudyView, study_view
from bench.store import open_store

from .visits import Visit


@pytest.fixture(scope="module")
def view(several: Path) -> StudyView:
    with open_store(several, read_only=True) as store:
        return study_view(store, "main")


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


def test_lasso_selects_for_all_views(main: Visit, view: StudyView) -> None:
    main.open(study="main")
    main.page.get_by_role("button", name="Lasso").click()
    main.settle()
    expect(main.page.get_by_role("button", name="Lasso")).to_have_attribute("aria-pressed", "true")
    x, y = main.place_of(view.front[0].number)
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


def _click(visit: Visit, number: int) -> None:
    """Points at a trial of the front, and clicks when the page has seen which one it is."""
    x, y = visit.place_of(number)
    visit.page.mouse.move(x, y)
    expect(visit.find("#inspector h2")).to_contain_text(f"#{number}")
    visit.page.mouse.click(x, y)
