"""Charts of reports, drawn from their points: accuracy against latency, and what grows with the resolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.reproduce.findings import Report
from bench.reproduce.sessions import LEAST_RESTARTS, REFERENCE

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Point = Mapping[str, Any]

_COLOURS = {
    "fastvit": "#0b6bcb",
    "mobileone": "#c2410c",
    "efficientnet": "#15803d",
    "convnext": "#7e22ce",
    "cmt": "#b45309",
}
_TRAFFIC_COLOURS = ("#0b6bcb", "#c2410c", "#15803d")
_DASHES = ("solid", "dash", "dot", "dashdot")
_SHOWN = ("ratio_to_t8", "ratio_low", "ratio_high", "top1", "family")


def charts(reports: Sequence[Report]) -> list[Figure]:
    """The charts that the reports' points allow."""
    by_kind: dict[str, list[Point]] = {}
    for report in reports:
        by_kind.setdefault(report.kind, []).extend(report.points)
    found = []
    if accuracies := distinct([*by_kind.get("model", []), *by_kind.get("table", [])]):
        found.append(accuracy_chart(accuracies))
    for what in ("form", "mixer"):
        if chosen := [point for point in by_kind.get("traffic", []) if point["what"] == what]:
            found.append(traffic_chart(chosen, what))
    return found


def distinct(points: Sequence[Point]) -> list[Point]:
    """Each network once in each place, as it was last timed; those with a ratio and a published accuracy alone."""
    complete = [point for point in points if all(point.get(key) is not None for key in _SHOWN)]
    return list({(point["name"], point["place"]): point for point in complete}.values())


def accuracy_chart(points: Sequence[Point]) -> Figure:
    """Published top-1 against the ratio to the reference measured here; a line a family and place.

    Ratios compare across sessions, milliseconds do not.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        groups.setdefault((str(point["family"]), str(point["place"])), []).append(point)
    places = list(dict.fromkeys(place for _, place in groups))
    for (family, place), members in groups.items():
        ordered = sorted(members, key=lambda point: float(point["ratio_to_t8"]))
        figure.add_trace(
            go.Scatter(
                x=[point["ratio_to_t8"] for point in ordered],
                y=[point["top1"] for point in ordered],
                text=[str(point["name"]).partition("_")[2] or point["name"] for point in ordered],
                customdata=[point["ms"] for point in ordered],
                error_x=_interval(ordered, "ratio_to_t8", "ratio_low", "ratio_high"),
                mode="lines+markers+text",
                textposition="top center",
                name=family if len(places) == 1 else f"{family}, {place}",
                line={"color": _COLOURS.get(family), "width": 1.5, "dash": _dash(places, place)},
                marker={"size": 8},
                hovertemplate="%{text}: %{x:.3f} x T8 (%{customdata:.2f} ms), top-1 %{y:.1f} %<extra></extra>",
            )
        )
    figure.update_layout(
        template="plotly_white",
        title="published ImageNet top-1 against latency measured here (batch 1, each network at its own resolution)",
        xaxis={"title": f"latency here, times {REFERENCE}", "type": "log"},
        yaxis={"title": "top-1 (%), as published"},
        legend={"orientation": "h", "y": -0.2},
        height=560,
    )
    return figure


def traffic_chart(points: Sequence[Point], what: str) -> Figure:
    """Latency relative to the first of each session over the resolution, and peak memory where the place tells it."""
    from plotly.subplots import make_subplots

    panels = [("latency, relative", "ratio")]
    if any(point["memory_mib"] is not None for point in points):
        panels.append(("peak memory of a run (MiB)", "memory_mib"))
    figure = make_subplots(
        rows=1, cols=len(panels), subplot_titles=[title for title, _ in panels], horizontal_spacing=0.1
    )
    names = list(dict.fromkeys(point["name"] for point in points))
    places = list(dict.fromkeys(point["place"] for point in points))
    for name, place in dict.fromkeys((point["name"], point["place"]) for point in points):
        mine = [point for point in points if (point["name"], point["place"]) == (name, place)]
        mine.sort(key=lambda point: int(point["resolution"]))
        for column, (_, key) in enumerate(panels, start=1):
            there = [point for point in mine if point[key] is not None]
            figure.add_scatter(
                x=[point["resolution"] for point in there],
                y=[point[key] for point in there],
                error_y=_interval(there, "ratio", "low", "high") if key == "ratio" else None,
                mode="lines+markers",
                name=name if len(places) == 1 else f"{name}, {place}",
                legendgroup=f"{name}, {place}",
                showlegend=column == 1,
                line={"color": _TRAFFIC_COLOURS[names.index(name)], "dash": _dash(places, place)},
                row=1,
                col=column,
            )
    title = "train form against deploy form" if what == "form" else "mixer of the last two stages"
    figure.update_xaxes(title="resolution (px)")
    figure.update_yaxes(rangemode="tozero")
    figure.update_layout(
        template="plotly_white", title=f"FastViT-T8: {title}", legend={"orientation": "h", "y": -0.25}, height=420
    )
    return figure


def _dash(places: Sequence[str], place: str) -> str:
    return _DASHES[places.index(place) % len(_DASHES)]


def _interval(points: Sequence[Point], middle: str, low: str, high: str) -> dict[str, Any]:
    """Error bars from intervals; none where a point has no interval, or one of too few restarts."""
    has = [point.get(low) is not None and (point.get("restarts") or 0) >= LEAST_RESTARTS for point in points]
    ends = list(zip(points, has, strict=True))
    return {
        "type": "data",
        "symmetric": False,
        "array": [point[high] - point[middle] if is_known else 0.0 for point, is_known in ends],
        "arrayminus": [point[middle] - point[low] if is_known else 0.0 for point, is_known in ends],
        "thickness": 1,
    }
