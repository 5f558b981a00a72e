"""What the figures of studies consist of: marks, step lines, bars and axes, as Plotly takes them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.report.columns import StudyColumns
from bench.report.figure_names import FigureName
from bench.store import is_latency

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

BLUE, RED, GREEN, GREY, FAINT = "#0b6bcb", "#c2410c", "#15803d", "#7f8c99", "#b8bfc6"
TEMPLATE = "plotly_white"


def scatter(
    go: Any,
    columns: StudyColumns,
    rows: np.ndarray[Any, Any],
    x: FigureName,
    y: FigureName,
    *,
    name: str,
    marker: dict[str, Any],
) -> Any:
    """Marks of these rows; those of the front with their intervals."""
    chosen = rows.tolist()
    return go.Scatter(
        x=columns.figure(x.name)[rows],
        y=columns.figure(y.name)[rows],
        mode="markers",
        name=name,
        marker=marker,
        customdata=[label(columns, row) for row in chosen],
        error_x=_errors(columns, x, rows) if name == "front" else None,
        error_y=_errors(columns, y, rows) if name == "front" else None,
        hovertemplate="%{customdata}: %{x:.4g}, %{y:.4g}<extra></extra>",
    )


def step_line(
    go: Any,
    columns: StudyColumns,
    rows: np.ndarray[Any, Any],
    x: FigureName,
    y: FigureName,
    *,
    scale: float = 1.0,
    colour: str = BLUE,
) -> Any:
    """The line that these rows attain; `scale`: of its milliseconds."""
    order = np.argsort(columns.figure(x.name)[rows], kind="stable")
    rows = rows[order]
    across = columns.figure(x.name)[rows] * (scale if is_latency(x.name) else 1.0)
    up = columns.figure(y.name)[rows] * (scale if is_latency(y.name) else 1.0)
    return go.Scatter(
        x=across,
        y=up,
        mode="lines",
        name="attained",
        hovertext=[label(columns, row) for row in rows.tolist()],
        line={"color": colour, "width": 1.5, "shape": "vh" if x.maximise else "hv"},
        showlegend=False,
    )


def _errors(columns: StudyColumns, axis: FigureName, rows: np.ndarray[Any, Any]) -> dict[str, Any] | None:
    if axis.name not in columns.latencies:
        return None
    low, high = columns.column(f"low {axis.name}")[rows], columns.column(f"high {axis.name}")[rows]
    return error(columns.figure(axis.name)[rows], low, high)


def error(middle: Any, low: Any, high: Any) -> dict[str, Any]:
    """Bars from the middle to both ends; none where an end is not known."""
    return {
        "type": "data",
        "symmetric": False,
        "thickness": 1.2,
        "width": 3,
        "array": np.nan_to_num(high - middle),
        "arrayminus": np.nan_to_num(middle - low),
    }


def choice_dimensions(words: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Axes of parallel coordinates for words that are not the same in all networks."""
    dimensions = []
    for name in dict.fromkeys(word for found in words for word in found):
        values = [found.get(name) for found in words]
        known = sorted(dict.fromkeys(value for value in values if value is not None), key=_order)
        if len(known) < 2:
            continue
        # One place below the others for what the word does not apply to.
        places = [-1 if value is None else known.index(value) for value in values]
        ticks = [*([-1] if -1 in places else []), *range(len(known))]
        texts = [*(["none"] if -1 in places else []), *(escape(str(value), quote=False) for value in known)]
        dimensions.append({"label": escape(name), "values": places, "tickvals": ticks, "ticktext": texts})
    return dimensions


def figure_dimensions(columns: StudyColumns, rows: list[int]) -> list[dict[str, Any]]:
    """Axes for figures that all of these rows have, the first objective last."""
    return [
        {"label": escape(found.short), "values": columns.figure(found.name)[rows]}
        for found in (*reversed(columns.figures), *reversed(columns.objectives))
        if np.isfinite(columns.figure(found.name)[rows]).all() and rows
    ]


def _order(value: Any) -> tuple[bool, Any]:
    return isinstance(value, str), value


def label(columns: StudyColumns, row: int) -> str:
    """Plotly reads some HTML in texts; a network may be called anything."""
    name = columns.names[row] or columns.architecture_ids[row]
    return escape(f"#{int(columns.column('number')[row])} {name}", quote=False)


def laid_out(figure: Figure, title: str, x: str, y: str) -> Figure:
    """A figure with its titles."""
    return figure.update_layout(
        template=TEMPLATE,
        title=title,
        xaxis_title=escape(x, quote=False),
        yaxis_title=escape(y, quote=False),
        legend={"orientation": "h", "y": -0.18},
        hovermode="closest",
    )
