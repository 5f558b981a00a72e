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


def test_choices_stand_left_and_objectives_right(main: Visit) -> None:
    main.open("parallel", study="main")
    names = [head.get_attribute("data-axis") for head in main.find(".axis-heads button").all()]
    assert names[-2:] == ["accuracy", "latency_ms"]
    assert names.index("stage1.depth") < names.index("params_m")


def test_axes_that_never_vary_are_hidden_until_asked_for(main: Visit) -> None:
    main.open("parallel", study="main")
    head = main.find("[data-axis=input_resolution]")
    expect(head).to_have_count(0)
    main.page.get_by_label("axes that never vary").check()
    expect(head).to_have_count(1)


def test_brush_selects_and_stands_in_the_address(main: Visit, view: StudyView) -> None:
    main.open("parallel", study="main")
    x = _axis(main, "latency_ms")
    box = main.find("canvas.parallel").bounding_box()
    assert box is not None
    main.page.mouse.move(box["x"] + x, box["y"] + 20)
    main.page.mouse.down()
    main.page.mouse.move(box["x"] + x, box["y"] + 120, steps=5)
    main.page.mouse.up()
    main.page.wait_for_url("**range=latency_ms**")
    _, low, high = main.state()["range"][0].split("~")
    inside = {
        found.number
        for found in view.trials
        if float(low) <= found.figures.get("latency_ms", float("nan")) <= float(high)
    }
    assert inside
    expect(main.find("#picked")).to_have_text(f"{len(inside)} selected")
    expect(main.find("#announce")).to_have_text(f"{len(inside)} trials in the ranges")
    main.page.reload()
    main.drawn("parallel")
    expect(main.find("#picked")).to_have_text(f"{len(inside)} selected")
    main.view("front")
    picked = set(main.traces()["front"]["selectedpoints"])
    assert picked == {place for place, number in enumerate(main.numbers("front")) if number in inside}


def test_ranges_are_typed_too_and_alternatives_add_up(main: Visit, view: StudyView) -> None:
    main.open("parallel", study="main")
    main.find("[data-axis=latency_ms]").click()
    latencies = [found.figures["latency_ms"] for found in view.trials if "latency_ms" in found.figures]
    for low, high in (("5", "8"), ("20", "25")):
        main.page.get_by_label("from, latency").fill(low)
        main.page.get_by_label("to, latency").fill(high)
        main.page.get_by_role("button", name="Add range").click()
    wanted = sum(5 <= value <= 8 or 20 <= value <= 25 for value in latencies)
    expect(main.find("#picked")).to_have_text(f"{wanted} selected")
    assert len(main.state()["range"]) == 2
    main.page.get_by_role("button", name="Clear all ranges").click()
    expect(main.find("#picked")).to_have_text("")
    assert "range" not in main.state()


def test_best_share_keeps_the_front(main: Visit, view: StudyView) -> None:
    main.open("parallel", study="main", top="20")
    wanted = -(-len(view.trials) // 5)
    expect(main.find("#parallel .note").first).to_contain_text(f"{wanted} lines")
    main.go("parallel", study="main", top="1")
    expect(main.find("#parallel .note").first).to_contain_text(f"{len(view.front)} line")


def test_axis_of_a_figure_can_be_logarithmic(main: Visit) -> None:
    main.open("parallel", study="main")
    main.find("[data-axis=latency_ms]").click()
    main.page.get_by_label("logarithmic").check()
    main.page.wait_for_url("**log=latency_ms**")


def test_lines_are_painted(main: Visit) -> None:
    main.open("parallel", study="main")
    painted = main.page.evaluate(
        """() => {
          const canvas = document.querySelector("canvas.parallel");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let i = 3; i < data.length; i += 4) count += data[i] > 0;
          return count / (data.length / 4);
        }"""
    )
    assert painted > 0.05


def _axis(visit: Visit, name: str) -> float:
    """Where an axis stands, in pixels from the left of the canvas."""
    return float(visit.find(f"[data-axis='{name}']").evaluate("head => parseFloat(head.style.left)"))
