"""The page without a pointer: open, filter, go along the front, open a trial, copy, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from bench.report.views import study_view
from bench.store import open_store

from .visits import VIEWS, Visit, context_of, visit


@pytest.fixture(scope="module")
def front(several: Path) -> list[int]:
    with open_store(several, read_only=True) as store:
        return [found.number for found in study_view(store, "main").front]


def test_walk_without_a_pointer(main: Visit, front: list[int]) -> None:
    keys = main.page.keyboard
    main.open(study="main")
    keys.press("/")
    expect(main.find("#filter")).to_be_focused()
    keys.type("latency_ms<1000")
    main.page.wait_for_url("**filter=**")
    keys.press("Escape")
    expect(main.find("#filter")).not_to_be_focused()
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    expect(main.find("#inspector h2")).to_contain_text(f"#{front[1]}")
    keys.press("ArrowLeft")
    expect(main.find("#inspector h2")).to_contain_text(f"#{front[0]}")
    keys.press("End")
    expect(main.find("#inspector h2")).to_contain_text(f"#{front[-1]}")
    expect(main.find("#announce")).to_contain_text(f"{len(front)} of {len(front)} on the front")
    keys.press(" ")
    expect(main.find("#picked")).to_have_text("1 selected")
    keys.press("Enter")
    expect(main.find("#trial-heading")).to_contain_text(f"main/{front[-1]}")
    keys.press("ArrowLeft")
    expect(main.find("#trial-heading")).to_contain_text(f"main/{front[-2]}")
    copy = main.page.get_by_role("button", name="Copy the command: show")
    _tab_to(main, copy)
    keys.press("Enter")
    expect(main.find("#announce")).to_have_text("copied")
    keys.press("Escape")
    expect(main.find("body")).to_have_attribute("data-view", "front")


def test_digits_go_to_the_views(main: Visit) -> None:
    main.open(study="main")
    for place, view in enumerate(VIEWS):
        main.page.keyboard.press(str(place + 1))
        main.drawn(view)
        expect(main.find("#views a[aria-current=page]")).to_contain_text(view.title())


def test_keep_exclude_and_undo_have_keys(main: Visit, front: list[int]) -> None:
    main.open(study="main")
    keys = main.page.keyboard
    keys.press("ArrowRight")
    keys.press(" ")
    keys.press("x")
    expect(main.find("#filter-note")).to_contain_text("119 of 120")
    keys.press("u")
    expect(main.find("#picked")).to_have_text("1 selected")
    keys.press("k")
    expect(main.find("#filter-note")).to_contain_text("1 of 120")


def test_help_lists_the_keys_and_closes(main: Visit) -> None:
    main.open(study="main")
    main.page.keyboard.press("?")
    dialog = main.find("#keys")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("along the front")
    main.page.keyboard.press("2")  # the page behind does not hear it
    expect(main.find("body")).to_have_attribute("data-view", "front")
    main.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_rows_of_the_table_are_walked_with_the_arrows(main: Visit) -> None:
    main.open("table", study="main")
    first, second = main.order()[:2]
    main.find(f"#trials tr[data-number='{first}'] a").focus()
    main.page.keyboard.press("ArrowDown")
    expect(main.find(f"#trials tr[data-number='{second}'] a")).to_be_focused()
    expect(main.find("#inspector h2")).to_contain_text(f"#{second}")
    main.page.keyboard.press("Enter")
    expect(main.find("#trial-heading")).to_contain_text(f"main/{second}")


def test_focus_begins_with_the_skip_link_and_is_seen(browser: Browser, several_url: str) -> None:
    with context_of(browser) as context, visit(context, several_url) as found:
        found.open(study="main")
        found.page.keyboard.press("Tab")
        expect(found.find(".skip")).to_be_focused()
        found.page.keyboard.press("Tab")
        expect(found.find("#study")).to_be_focused()
        outline = found.find("#study").evaluate("element => getComputedStyle(element).outlineStyle")
        assert outline != "none"
        found.page.keyboard.press("Shift+Tab")
        found.page.keyboard.press("Enter")
        expect(found.find("#main")).to_be_focused()
        assert found.state()["study"] == ["main"]


def test_sorting_keeps_the_focus_on_its_heading(main: Visit) -> None:
    main.open("table", study="main")
    main.find("[data-sort=latency_ms]").focus()
    main.page.keyboard.press("Enter")
    main.page.wait_for_url("**sort=latency_ms**")
    expect(main.find("[data-sort=latency_ms]")).to_be_focused()


def _tab_to(visit: Visit, wanted: object) -> None:
    for _ in range(60):
        visit.page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):  # type: ignore[attr-defined]
            return
    raise AssertionError("60 steps of Tab do not reach it")
