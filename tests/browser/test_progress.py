from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from bench.report.views import study_view
from bench.store import open_store

from .visits import Visit

# The values of a trace of the first strategy with several seeds: the lower quartile, the upper one, the median.
_STRATEGY = """(place) => {
  const { data } = document.querySelector("#progress .chart");
  const at = data.findIndex((trace) => /^tpe/.test(trace.name ?? ""));
  return Array.from(data[at - 2 + place].y);
}"""


def _lines(visit: Visit) -> list[dict[str, object]]:
    found = visit.page.evaluate(
        "() => document.querySelector('#progress .chart').data.map(t => ({name: t.name, x: t.x, y: t.y}))"
    )
    return list(found)


def test_hypervolume_grows_to_that_of_the_database(main: Visit, several: Path) -> None:
    with open_store(several, read_only=True) as store:
        view = study_view(store, "main")
    main.open("progress", study="main")
    own = next(line for line in _lines(main) if line["name"] == "this study")
    values = own["y"]
    assert isinstance(values, list)
    assert values == sorted(values)
    assert values[-1] == pytest.approx(view.hypervolume, rel=1e-5)
    assert isinstance(own["x"], list)
    assert own["x"][-1] == len(view.trials)


@pytest.mark.parametrize(("button", "over"), [("wall-clock", "clock"), ("device time", "device")])
def test_progress_is_told_over_time_as_well(main: Visit, button: str, over: str) -> None:
    main.open("progress", study="main")
    main.page.get_by_role("button", name=button).click()
    main.page.wait_for_url(f"**over={over}**")
    expect(main.page.get_by_role("button", name=button)).to_have_attribute("aria-pressed", "true")
    title = main.page.evaluate("() => document.querySelector('#progress .chart').layout.xaxis.title.text")
    assert title.endswith(("(s)", "(min)", "(h)"))


def test_strategies_have_a_line_each_with_their_seeds(main: Visit) -> None:
    main.open("progress", study="main")
    legend = main.find("#progress .legendtext")
    expect(legend.filter(has_text="tpe, median of 2 seeds")).to_have_count(1)
    expect(legend.filter(has_text="random, median of 1 seed")).to_have_count(1)
    low, high, median = (main.page.evaluate(_STRATEGY, place) for place in range(3))
    assert all(down <= middle <= up for down, middle, up in zip(low, median, high, strict=True))
    assert any(down < up for down, up in zip(low, high, strict=True))


def test_baselines_passed_are_told(main: Visit) -> None:
    main.open("progress", study="main")
    table = main.find("#progress table").first
    expect(table).to_contain_text("all baselines")
    expect(table).to_contain_text("fastvit_t8")


def test_pace_and_stages_are_told(main: Visit) -> None:
    main.open("progress", study="main")
    told = main.find("#progress .card").first
    expect(told).to_contain_text("120 of 120")
    expect(main.find("#progress")).to_contain_text("Where the time went")
