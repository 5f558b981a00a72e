"""A comparison of models as a table, as data and as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

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
        params_m: of the deploy form in millions; None for files and networks that are built elsewhere.
        macs_g: of the deploy form in billions; None like that.
        summary: of its latency; None where it could not be timed.
        pair: against the first model, interleaved; None for the first and where one was not timed.
        differences: in what the conditions of the two measurements differ.
        verdict: of the measurement, with its reason.
        memory_mib: peak resident memory of a run.
        accuracy: top-1 in percent, 0 to 100; None where it is not known.
        accuracy_of: what that accuracy is: published, or of a study at how many pictures.
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
    cells = [_cells(row, is_first=place == 0) for place, row in enumerate(rows)]
    return "\n".join([table(_HEADING, cells), *comparison_remarks(rows)])


def comparison_remarks(rows: Sequence[Row]) -> list[str]:
    """What the accuracies are, why a verdict is not `valid`, and in what conditions differ; a sentence each."""
    lines = [f"{row.label}: top-1 on {row.accuracy_of}" for row in rows if row.accuracy is not None]
    kinds = {row.accuracy_of.split(",")[0] for row in rows if row.accuracy is not None}
    if len(kinds) > 1:
        lines.append("these accuracies are of different data or trainings: they do not compare")
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


def comparison_figure(rows: Sequence[Row]) -> Figure:
    """Ratios to the first with their intervals, and accuracy against latency where it is known."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    timed = [row for row in rows if row.summary is not None]
    known = [row for row in timed if row.accuracy is not None]
    figure = make_subplots(
        rows=1,
        cols=2 if known else 1,
        subplot_titles=("latency relative to the first", "accuracy against latency")[: 2 if known else 1],
        horizontal_spacing=0.14,
    )
    middles = [1.0 if row.pair is None else row.pair.ratio for row in timed]
    figure.add_trace(
        go.Bar(
            y=[row.label for row in timed],
            x=middles,
            orientation="h",
            marker={"color": "#0b6bcb"},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [0.0 if row.pair is None else row.pair.high - row.pair.ratio for row in timed],
                "arrayminus": [0.0 if row.pair is None else row.pair.ratio - row.pair.low for row in timed],
            },
            text=[f"{middle:.3f}" for middle in middles],
            hovertemplate="%{y}: %{x:.4f}<extra></extra>",
        ),
        row=1,
        col=1,
    )
    if known:
        figure.add_trace(
            go.Scatter(
                x=[row.summary.median_ms for row in known if row.summary],
                y=[row.accuracy for row in known],
                text=[row.label for row in known],
                mode="markers+text",
                textposition="top center",
                marker={"size": 10, "color": "#c2410c"},
                hovertemplate="%{text}: %{x:.2f} ms, %{y:.2f} %<extra></extra>",
            ),
            row=1,
            col=2,
        )
        figure.update_xaxes(title="ms", rangemode="tozero", row=1, col=2)
        figure.update_yaxes(title="top-1 (%)", row=1, col=2)
    figure.update_yaxes(autorange="reversed", row=1, col=1)
    figure.update_xaxes(title="times the first", row=1, col=1)
    figure.update_layout(template="plotly_white", showlegend=False, height=220 + 45 * len(timed))
    return figure


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
