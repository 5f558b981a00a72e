"""Reports of a run for the terminal and as a page: tables, and charts drawn from their points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.report.page import Section, Table, write_report
from bench.reproduce.findings import Report

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEADING = ("quantity", "published", "found here", "verdict", "remarks")
_COLOURS = {
    "fastvit": "#0b6bcb",
    "mobileone": "#c2410c",
    "efficientnet": "#15803d",
    "convnext": "#7e22ce",
    "cmt": "#b45309",
}


def report_text(report: Report) -> str:
    """A report for a terminal: a line for each finding, remarks below the table, numbered."""
    rows: list[tuple[str, str, str, str]] = []
    remarks: list[str] = []
    for finding in report.findings:
        mark = ""
        if said := "; ".join(text for text in (finding.note, finding.source) if text):
            remarks.append(f"[{len(remarks) + 1}] {said}")
            mark = f" [{len(remarks)}]"
        rows.append((finding.quantity + mark, finding.published, finding.measured, finding.verdict))
    counts = ", ".join(f"{number} {verdict}" for verdict, number in report.verdicts.items())
    lines = [f"{report.title} ({report.seconds:.0f} s{': ' + counts if counts else ''})", ""]
    lines += [_listed(rows), "", *remarks]
    return "\n".join(lines)


def write_reports(path: Path, title: str, reports: Sequence[Report]) -> None:
    """The reports as one page with their charts."""
    charts = _charts(reports)
    first = [Section(heading="At a glance", sentences=_circumstances(reports), figures=charts)]
    sections = [
        Section(
            heading=report.title,
            tables=(
                Table(
                    heading=_HEADING,
                    rows=[
                        (f.quantity, f.published, f.measured, f.verdict, "; ".join(t for t in (f.note, f.source) if t))
                        for f in report.findings
                    ],
                ),
            ),
        )
        for report in reports
    ]
    write_report(path, title, [*first, *sections])


def _listed(rows: Sequence[tuple[str, str, str, str]]) -> str:
    """Findings below each other where a row would be wider than a terminal."""
    lines = []
    for quantity, published, measured, verdict in rows:
        lines.append(quantity)
        for name, text in (("published", published), ("found here", measured), ("verdict", verdict)):
            if text:
                lines.append(f"    {name:<11} {text}")
    return "\n".join(lines)


def _circumstances(reports: Sequence[Report]) -> list[str]:
    machine = reports[0].fingerprint.get("machine", {}) if reports else {}
    software = reports[0].fingerprint.get("software", {}) if reports else {}
    versions = ", ".join(f"{name} {version}" for name, version in software.items() if version)
    return [
        f"Found on {machine.get('cpu', 'an unnamed machine')}, {machine.get('logical_cpus', '?')} CPUs, "
        f"{machine.get('distribution', '')}; {versions}.",
        "A latency that was published for one device is neither confirmed nor contradicted by another; its verdict "
        "says which device is needed.",
    ]


def _charts(reports: Sequence[Report]) -> list[Figure]:
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for report in reports:
        by_kind.setdefault(report.kind, []).extend(report.points)
    charts = []
    if accuracies := _distinct([*by_kind.get("model", []), *by_kind.get("table", [])]):
        charts.append(accuracy_chart(accuracies))
    if by_kind.get("traffic"):
        charts += [traffic_chart(by_kind["traffic"], what) for what in ("form", "mixer")]
    return charts


def _distinct(points: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Each network once in each place: as it was last timed."""
    found = {(point["name"], point["place"]): point for point in points if point.get("ms") and point.get("top1")}
    return list(found.values())


def accuracy_chart(points: Sequence[Mapping[str, Any]]) -> Figure:
    """Published top-1 against the latency measured here; a line a family."""
    import plotly.graph_objects as go

    figure = go.Figure()
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for point in points:
        groups.setdefault((str(point["name"]).split("_")[0], str(point["place"])), []).append(point)
    places = {place for _, place in groups}
    for (family, place), members in groups.items():
        ordered = sorted(members, key=lambda point: float(point["ms"]))
        figure.add_trace(
            go.Scatter(
                x=[point["ms"] for point in ordered],
                y=[point["top1"] for point in ordered],
                text=[str(point["name"]).partition("_")[2] or point["name"] for point in ordered],
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [point["high_ms"] - point["ms"] for point in ordered],
                    "arrayminus": [point["ms"] - point["low_ms"] for point in ordered],
                    "thickness": 1,
                },
                mode="lines+markers+text",
                textposition="top center",
                name=family if len(places) == 1 else f"{family}, {place}",
                line={"color": _COLOURS.get(family), "width": 1.5},
                marker={"size": 8},
                hovertemplate="%{text}: %{x:.2f} ms, top-1 %{y:.1f} %<extra></extra>",
            )
        )
    figure.update_layout(
        template="plotly_white",
        title="published ImageNet top-1 against latency measured here (batch 1, each network at its own resolution)",
        xaxis={"title": "latency here (ms)", "type": "log"},
        yaxis={"title": "top-1 (%), as published"},
        legend={"orientation": "h", "y": -0.2},
        height=560,
    )
    return figure


def traffic_chart(points: Sequence[Mapping[str, Any]], what: str) -> Figure:
    """Latency relative to the first of each session, and peak memory, over the resolution."""
    from plotly.subplots import make_subplots

    figure = make_subplots(
        rows=1, cols=2, subplot_titles=("latency, relative", "peak memory of a run (MiB)"), horizontal_spacing=0.1
    )
    colours = ("#0b6bcb", "#c2410c", "#15803d")
    chosen = [point for point in points if point["what"] == what]
    for name, colour in zip(dict.fromkeys(point["name"] for point in chosen), colours, strict=False):
        mine = sorted((point for point in chosen if point["name"] == name), key=lambda point: int(point["resolution"]))
        for column, key in ((1, "ratio"), (2, "memory_mib")):
            there = [point for point in mine if point[key] is not None]
            figure.add_scatter(
                x=[point["resolution"] for point in there],
                y=[point[key] for point in there],
                mode="lines+markers",
                name=name,
                legendgroup=name,
                showlegend=column == 1,
                line={"color": colour},
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
