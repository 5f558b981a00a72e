from __future__ import annotations

from typing import Any

import pytest

from bench.reproduce.charts import accuracy_chart, charts, distinct, traffic_chart
from bench.reproduce.findings import Report

PLACE, OTHER = "cpu, onnxruntime", "cpu, torch"


def point(name: str, ratio: float, top1: float | None, *, ms: float = 10.0, place: str = PLACE, **more: Any) -> Any:
    ends = {"ratio_low": ratio - 0.1, "ratio_high": ratio + 0.2, "restarts": 6}
    family = name.split("_")[0]
    return {
        "name": name,
        "family": family,
        "ms": ms,
        "ratio_to_t8": ratio,
        "top1": top1,
        "place": place,
        **ends,
        **more,
    }


def traffic(name: str, side: int, ratio: float, *, place: str = PLACE, what: str = "form", **more: Any) -> Any:
    return {
        "what": what,
        "name": name,
        "resolution": side,
        "ratio": ratio,
        "low": None if ratio == 1 else ratio - 0.1,
        "high": None if ratio == 1 else ratio + 0.2,
        "restarts": None if ratio == 1 else 6,
        "memory_mib": 10.0 * ratio,
        "place": place,
        **more,
    }


def report(kind: str, *points: Any) -> Report:
    return Report(kind=kind, subject="s", title="t", findings=(), points=points, fingerprint={}, seconds=1.0)


def test_accuracy_is_drawn_over_the_ratio_that_compares_across_sessions() -> None:
    """By milliseconds of two sessions S1 would be the faster of the two; by the ratios it is not."""
    points = [
        point("fastvit_t8", 1.0, 76.2),
        point("mobileone_s1", 0.8, 75.9, ms=2.0),
        point("mobileone_s0", 0.3, 71.4, ms=4.0),
    ]
    figure = accuracy_chart(points)
    assert [trace.name for trace in figure.data] == ["fastvit", "mobileone"]
    mobileone = figure.data[1]
    assert list(mobileone.x) == [0.3, 0.8]
    assert list(mobileone.y) == [71.4, 75.9]
    assert list(mobileone.text) == ["s0", "s1"]
    assert list(mobileone.error_x.array) == pytest.approx([0.2, 0.2])
    assert list(mobileone.error_x.arrayminus) == pytest.approx([0.1, 0.1])
    assert figure.layout.xaxis.title.text == "latency here, times FastViT-T8 at 256 px"


def test_places_are_lines_of_their_own() -> None:
    figure = accuracy_chart([point("fastvit_t8", 1.0, 76.2), point("fastvit_t8", 1.1, 76.2, place=OTHER)])
    assert [trace.name for trace in figure.data] == [f"fastvit, {PLACE}", f"fastvit, {OTHER}"]
    assert len({trace.line.dash for trace in figure.data}) == 2
    # And each of them has its own points: one line through both would be nobody's.
    points = [
        traffic(name, side, ratio, place=place)
        for place in (PLACE, OTHER)
        for side in (512, 256)
        for name, ratio in (("deploy form", 1.0), ("train form", 2.0))
    ]
    drawn = traffic_chart(points, "form")
    assert [trace.name for trace in drawn.data if trace.showlegend] == [
        f"{name}, {place}" for place in (PLACE, OTHER) for name in ("deploy form", "train form")
    ]
    assert all(list(trace.x) == [256, 512] for trace in drawn.data)


def test_too_few_restarts_have_no_error_bar() -> None:
    figure = accuracy_chart([point("fastvit_t8", 1.0, 76.2, restarts=2), point("fastvit_t12", 2.0, 79.3)])
    assert list(figure.data[0].error_x.array) == pytest.approx([0.0, 0.2])


def test_traffic_is_drawn_over_the_resolution_with_its_intervals() -> None:
    points = [
        traffic(name, side, ratio) for side in (512, 256) for name, ratio in (("deploy form", 1.0), ("train form", 2.0))
    ]
    figure = traffic_chart(points, "form")
    assert [trace.name for trace in figure.data] == ["deploy form", "deploy form", "train form", "train form"]
    assert list(figure.data[0].x) == [256, 512]
    assert list(figure.data[0].error_y.array) == [0.0, 0.0]
    assert list(figure.data[2].error_y.array) == pytest.approx([0.2, 0.2])
    assert list(figure.data[3].y) == [20.0, 20.0]


def test_without_memory_there_is_no_panel_for_it() -> None:
    points = [traffic("deploy form", 256, 1.0, memory_mib=None), traffic("train form", 256, 2.0, memory_mib=None)]
    assert len(traffic_chart(points, "form").data) == 2


def test_each_network_stands_once_in_a_chart_as_it_was_last_timed() -> None:
    points = [
        point("fastvit_t8", 1.0, 76.2),
        point("fastvit_t8", 1.1, 76.2),
        point("fastvit_t8", 1.2, 76.2, place=OTHER),
        point("smoke", 0.5, None),
        {"name": "old", "place": PLACE, "ms": 3.0, "top1": 70.0},
    ]
    assert [found["ratio_to_t8"] for found in distinct(points)] == [1.1, 1.2]


def test_reports_give_the_charts_that_their_points_allow() -> None:
    assert charts([report("claim", {"name": "a"}), report("model")]) == []
    model, table = report("model", point("fastvit_t8", 1.0, 76.2)), report("table", point("cmt_s", 5.0, 83.5))
    (accuracy,) = charts([model, table])
    assert [trace.name for trace in accuracy.data] == ["fastvit", "cmt"]
    both = [report("traffic", traffic("deploy form", 256, 1.0), traffic("repmixer", 256, 1.0, what="mixer"))]
    assert [figure.layout.title.text for figure in charts(both)] == [
        "FastViT-T8: train form against deploy form",
        "FastViT-T8: mixer of the last two stages",
    ]
