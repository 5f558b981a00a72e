"""All samples of a session as a strip plot: nothing is hidden behind a median."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.measure import Measurement, summarise

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_COLOURS = ("#0b6bcb", "#c2410c", "#15803d", "#7e22ce", "#b45309", "#0e7490", "#be123c", "#4d7c0f")
_CONTENDED = "#9aa3ab"
_NS_PER_MS = 1e6


def strip_figure(measurements: Sequence[Measurement]) -> Figure:
    """One strip an artifact: a point a run, a bar a process's median, grey where others used the CPU.

    Runs stand in the order in which they happened, from bottom to top inside their strip, so that a drift is seen.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    timed = [found for found in measurements if found.samples]
    for row, found in enumerate(timed):
        colour = _COLOURS[row % len(_COLOURS)]
        for is_contended, name in ((False, found.label), (True, "others used the CPU")):
            x, y, text = _points(found, row, is_contended=is_contended)
            if x:
                figure.add_trace(
                    go.Scattergl(
                        x=x,
                        y=y,
                        text=text,
                        mode="markers",
                        name=escape(name, quote=False),
                        legendgroup=name,
                        showlegend=is_contended and not any(trace.name == name for trace in figure.data),
                        marker={"size": 4, "opacity": 0.5, "color": _CONTENDED if is_contended else colour},
                        hovertemplate="%{text}<extra></extra>",
                    )
                )
        figure.add_trace(_medians(go, found, row, colour))
        if found.has_figures:
            summary = summarise(found)
            for edge, dash in ((summary.low_ms, "dot"), (summary.median_ms, "solid"), (summary.high_ms, "dot")):
                figure.add_shape(
                    type="line", x0=edge, x1=edge, y0=row - 0.45, y1=row + 0.45, line={"color": colour, "dash": dash}
                )
    figure.update_layout(
        template="plotly_white",
        title="every run of the session (line: median of the processes, dotted: its 95 % interval)",
        xaxis_title="latency (ms, batch 1)",
        yaxis={
            "tickvals": list(range(len(timed))),
            "ticktext": [f"{escape(found.label, quote=False)}<br>{found.verdict}" for found in timed],
            "autorange": "reversed",
            "zeroline": False,
        },
        height=180 + 130 * max(len(timed), 1),
        margin={"l": 170, "t": 70},
        hovermode="closest",
        showlegend=True,
        legend={"orientation": "h", "y": -0.15},
    )
    return figure


def _points(found: Measurement, row: int, *, is_contended: bool) -> tuple[list[float], list[float], list[str]]:
    """Milliseconds, heights inside the strip by time, and what hovering tells."""
    total = max(sum(len(block) for process in found.samples for block in process), 1)
    x: list[float] = []
    y: list[float] = []
    text: list[str] = []
    position = 0
    for number, process in enumerate(found.samples):
        for index, block in enumerate(process):
            for sample in block:
                position += 1
                if found.contended[number][index] == is_contended:
                    x.append(sample / _NS_PER_MS)
                    y.append(row + 0.4 - 0.8 * position / total)
                    text.append(f"{sample / _NS_PER_MS:.3f} ms, process {number + 1}, block {index + 1}")
    return x, y, text


def _medians(go: Any, found: Measurement, row: int, colour: str) -> Any:
    """A bar at the median of each process."""
    sizes = [sum(len(block) for block in process) for process in found.samples]
    ends = np.cumsum(sizes) / max(sum(sizes), 1)
    middles = ends - np.array(sizes) / max(sum(sizes), 1) / 2
    medians = [
        float(np.median([np.median(block) for block in process])) / _NS_PER_MS if process else None
        for process in found.samples
    ]
    return go.Scatter(
        x=medians,
        y=[row + 0.4 - 0.8 * float(middle) for middle in middles],
        mode="markers",
        marker={"symbol": "line-ns", "size": 14, "line": {"width": 3, "color": colour}},
        showlegend=False,
        hovertemplate="median of a process: %{x:.3f} ms<extra></extra>",
    )
