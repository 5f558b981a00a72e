"""Budgets on an axis: which trials keep them, and which of these is best."""

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
