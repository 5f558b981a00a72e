"""A comparison of models as a table, as data and as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from bench.report.page import Section, Table
from bench.report.tables import table

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from bench.measure import Comparison, Summary

_HEADING = (
    "model",
    "params M",
    "MACs G",
    "ms",
    "95 % interval",
    "to the first",
    "95 % interval",
    "MiB",
    "top-1 %",
    "verdict",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model of a comparison.

    Attributes:
        label: of its measurement.
        params_m: of the form that is timed in millions; None where a file does not tell.
        macs_g: of the same in billions; None like that.
        summary: of its latency; None where it could not be timed.
        pair: against the first model, interleaved; None for the first and where one was not timed.
        differences: in what the conditions of the two measurements differ.
        verdict: of the measurement, with its reason.
        memory_mib: peak resident memory of a run.
        accuracy: top-1 in percent, 0 to 100; None where it is not known.
        accuracy_of: what that accuracy is: published, or of which data after how many pictures; those compare that
            have the whole of it in common.
    """

    label: str
    params_m: float | None
    macs_g: float | None
    summary: Summary | None
    pair: Comparison | None
    differences: tuple[str, ...]
    verdict: str
    memory_mib: float | None
    accuracy: float | None
    accuracy_of: str


def comparison_table(rows: Sequence[Row]) -> str:
    """One row a model, then what the accuracies are, verdicts with reasons, and differing conditions."""
    return "\n".join([table(_HEADING, _all_cells(rows)), *comparison_remarks(rows)])


def comparison_section(rows: Sequence[Row]) -> Section:
    """The same for a page: the table, the remarks and the charts."""
    return Section(
        heading="Models side by side",
        sentences=comparison_remarks(rows),
        tables=(Table(heading=_HEADING, rows=_all_cells(rows)),),
        figures=comparison_figures(rows),
    )


def comparison_remarks(rows: Sequence[Row]) -> list[str]:
    """What the accuracies are, why a verdict is not `valid`, and in what conditions differ; a sentence each."""
    lines = [f"{row.label}: top-1 on {row.accuracy_of}" for row in rows if row.accuracy is not None]
    if len({row.accuracy_of for row in rows if row.accuracy is not None}) > 1:
        lines.append("accuracies of different data or numbers of pictures do not compare")
    lines += [f"{row.label}: {row.verdict}" for row in rows if ":" in row.verdict]
    for row in rows:
        if row.differences:
            lines.append(f"{row.label} and the first differ in: {'; '.join(row.differences)}")
    return lines


def comparison_data(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The same for machines."""
    return [
        {
            "label": row.label,
            "params_m": row.params_m,
            "macs_g": row.macs_g,
            "summary": None if row.summary is None else asdict(row.summary),
            "to_first": None if row.pair is None else asdict(row.pair),
            "differences": list(row.differences),
            "verdict": row.verdict,
            "memory_mib": row.memory_mib,
            "top1": row.accuracy,
            "top1_of": row.accuracy_of,
        }
        for row in rows
    ]


def comparison_figures(rows: Sequence[Row]) -> list[Figure]:
    """Ratios to the first with their intervals; then accuracy against latency, a chart for each kind of accuracy."""
    timed = [row for row in rows if row.summary is not None]
    kinds = dict.fromkeys(row.accuracy_of for row in timed if row.accuracy is not None)
    charts = [_ratios(timed)] if timed else []
    return [*charts, *(_accuracies([row for row in timed if row.accuracy_of == kind], kind) for kind in kinds)]


def _ratios(rows: Sequence[Row]) -> Figure:
    import plotly.graph_objects as go

    middles = [1.0 if row.pair is None else row.pair.ratio for row in rows]
    figure = go.Figure(
        go.Bar(
            y=[_label(row) for row in rows],
            x=middles,
            orientation="h",
            marker={"color": "#0b6bcb"},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [0.0 if row.pair is None else row.pair.high - row.pair.ratio for row in rows],
                "arrayminus": [0.0 if row.pair is None else row.pair.ratio - row.pair.low for row in rows],
            },
            text=[f"{middle:.3f}" for middle in middles],
            hovertemplate="%{y}: %{x:.4f}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="times the first")
    title = "latency relative to the first"
    figure.update_layout(template="plotly_white", title=title, showlegend=False, height=220 + 45 * len(rows))
    return figure


def _accuracies(rows: Sequence[Row], kind: str) -> Figure:
    import plotly.graph_objects as go

    known = [(row, row.summary) for row in rows if row.summary is not None and row.accuracy is not None]
    figure = go.Figure(
        go.Scatter(
            x=[summary.median_ms for _, summary in known],
            y=[row.accuracy for row, _ in known],
            text=[_label(row) for row, _ in known],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [summary.high_ms - summary.median_ms for _, summary in known],
                "arrayminus": [summary.median_ms - summary.low_ms for _, summary in known],
            },
            mode="markers+text",
            textposition="top center",
            marker={"size": 10, "color": "#c2410c"},
            hovertemplate="%{text}: %{x:.2f} ms, %{y:.2f} %<extra></extra>",
        )
    )
    figure.update_xaxes(title="ms", rangemode="tozero")
    figure.update_yaxes(title="top-1 (%)")
    title = f"accuracy against latency: {escape(kind, quote=False)}"
    figure.update_layout(template="plotly_white", title=title, showlegend=False, height=420)
    return figure


def _label(row: Row) -> str:
    """Plotly reads some HTML in texts; a file may be called anything."""
    return escape(row.label, quote=False)


def _all_cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    return [_cells(row, is_first=place == 0) for place, row in enumerate(rows)]


def _cells(row: Row, *, is_first: bool) -> tuple[str, ...]:
    summary, pair = row.summary, row.pair
    return (
        row.label,
        _number(row.params_m, ".2f"),
        _number(row.macs_g, ".3f"),
        "-" if summary is None else f"{summary.median_ms:.3f}",
        "-" if summary is None else f"[{summary.low_ms:.3f}, {summary.high_ms:.3f}]",
        ("1" if is_first else "-") if pair is None else f"{pair.ratio:.4f} {pair.verdict}",
        "" if pair is None else f"[{pair.low:.4f}, {pair.high:.4f}]",
        _number(row.memory_mib, ".0f"),
        _number(row.accuracy, ".2f"),
        row.verdict.split(":")[0],
    )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
