from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from .visits import Visit, context_of, visit

_GROUND = "() => getComputedStyle(document.documentElement).backgroundColor"


@pytest.mark.parametrize(("scheme", "ground"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(17, 22, 27)")])
def test_colours_follow_the_system(main: Visit, scheme: Literal["light", "dark"], ground: str) -> None:
    main.page.emulate_media(color_scheme=scheme)
    try:
        main.open(study="main")
        assert main.page.evaluate(_GROUND) == ground
    finally:
        main.page.emulate_media(color_scheme="light")


def test_choice_of_colours_stays_and_reaches_the_charts(browser: Browser, several_url: str) -> None:
    with context_of(browser) as context, visit(context, several_url) as found:
        _choose(found)


def _choose(main: Visit) -> None:
    main.open(study="main")
    before = main.traces()["front"]["marker"]["color"]
    main.find("#theme").click()
    main.find("#theme").click()
    expect(main.find("html")).to_have_attribute("data-theme", "dark")
    expect(main.find("#theme")).to_have_attribute("aria-label", "Colours: dark; press for the next")
    main.page.reload()
    main.drawn("front")
    assert main.page.evaluate(_GROUND) == "rgb(17, 22, 27)"
    assert main.traces()["front"]["marker"]["color"] != before


def test_print_leaves_out_what_is_pressed(main: Visit) -> None:
    main.open("table", study="main")
    main.page.emulate_media(media="print")
    try:
        for selector in ("#views", "#bar", "#live", "#table .tools"):
            expect(main.find(selector)).to_be_hidden()
        expect(main.find("#trials")).to_be_visible()
    finally:
        main.page.emulate_media(media="screen")


def test_narrow_window_puts_the_inspector_below(browser: Browser, several_url: str) -> None:
    with (
        context_of(browser, viewport={"width": 700, "height": 900}) as context,
        visit(context, several_url) as found,
    ):
        found.open(study="main")
        body, main_box = found.find("#inspector").bounding_box(), found.find("#main").bounding_box()
        assert body is not None
        assert main_box is not None
        assert body["y"] >= main_box["y"] + main_box["height"] - 1
        width = found.page.evaluate("() => document.documentElement.scrollWidth")
        assert width <= 700
