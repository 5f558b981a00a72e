"""A comparison of models as a table, as data and as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

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


class Compared(Protocol):
    """What is shown of one model; see bench.reproduce.comparing.Row."""

    @property
    def label(self) -> str: ...
    @property
    def params_m(self) -> float | None: ...
    @property
    def macs_g(self) -> float | None: ...
    @property
    def summary(self) -> Summary | None: ...
    @property
    def pair(self) -> Comparison | None: ...
    @property
    def differences(self) -> tuple[str, ...]: ...
    @property
    def verdict(self) -> str: ...
    @property
    def memory_mib(self) -> float | None: ...
    @property
    def accuracy(self) -> float | None: ...
    @property
    def accuracy_of(self) -> str: ...


def comparison_table(rows: Sequence[Compared]) -> str:
    """One row a model, then what the accuracies are, verdicts with reasons, and differing conditions."""
    lines = [table(_HEADING, [_cells(row, is_first=place == 0) for place, row in enumerate(rows)])]
    lines += [f"{row.label}: top-1 on {row.accuracy_of}" for row in rows if row.accuracy is not None]
    kinds = {row.accuracy_of.split(",")[0] for row in rows if row.accuracy is not None}
    if len(kinds) > 1:
        lines.append("these accuracies are of different data or trainings: they do not compare")
    lines += [f"{row.label}: {row.verdict}" for row in rows if ":" in row.verdict]
    for row in rows:
        if row.differences:
            lines.append(f"{row.label} and the first differ in: {'; '.join(row.differences)}")
    return "\n".join(lines)


def comparison_data(rows: Sequence[Compared]) -> list[dict[str, Any]]:
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


def comparison_figure(rows: Sequence[Compared]) -> Figure:
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


def _cells(row: Compared, *, is_first: bool) -> tuple[str, ...]:
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
