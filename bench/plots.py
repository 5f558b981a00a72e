"""Figures of studies for notebooks and files; each gives a Plotly figure of the numbers that the dashboard shows.

import bench
bench.plots.pareto("mystudy").show()
bench.plots.compare("mystudy", "again")

A study is a name, with `db=` where the database is not the default, or what `bench.load_study` gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import ConfigError, nearest
from bench.report.anatomy import words_of
from bench.report.contrast import objective_points
from bench.report.figure_names import FigureName
from bench.report.likeness import differences, differences_in, told_apart, told_in
from bench.report.opened import Named, axes_of, opened, points_of
from bench.report.points import DOMINATED, EARLY, FRONT, INFEASIBLE, StudyPoints
from bench.report.retrained import FELL_OUT
from bench.report.traces import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    RED,
    TEMPLATE,
    choice_dimensions,
    error,
    figure_dimensions,
    label,
    laid_out,
    scatter,
    step_line,
)
from bench.store import BASELINES, StudyRecord

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from bench.simulate.comparison import Line, Panel

# Told apart by most eyes, also by those that see few colours (after Okabe and Ito, 2008).
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#3b3b3b", "#7f3fbf")
# Beyond that many lines nothing is told apart.
_MOST_LINES = 500
_MOST_INTERVALS = 60


def pareto(
    study: Named,
    *,
    x: str | None = None,
    y: str | None = None,
    elsewhere: bool = False,
    db: str | Path | None = None,
) -> Figure:
    """Any two figures against each other: the front, its step line, what it dominates, baselines of the study.

    Baselines stand beside the front where they were measured as its candidates were: the same machine and software, the
    same pictures and training. Others are left out, and the figure says in what they differ.

    Args:
        x, y: names such as `latency_ms`, `params_m`, `accuracy`; by default the second and the first objective.
        elsewhere: draws baselines of other conditions too, hollow and named as such.

    Raises:
        ConfigError: no figure of that name.
        StoreError: no such database or study.
    """
    import plotly.graph_objects as go

    with opened(study, db) as (reader, record):
        points = points_of(reader, record)
        other = reader.study_named(record.name + BASELINES)
        baselines = None if other is None else points_of(reader, other)
        differing = () if other is None else differences_in(reader, record, other)
    across, up = axes_of(points.columns, x, y)
    figure = go.Figure()
    kinds = points.kinds()
    looks = (
        (EARLY, "stopped early (fewer pictures seen)", {"symbol": "circle-open", "size": 6, "color": FAINT}),
        (INFEASIBLE, "breaks a rule", {"symbol": "x-open", "size": 7, "color": FAINT}),
        (DOMINATED, "dominated", {"symbol": "circle", "size": 7, "color": GREY}),
        (FRONT, "front", {"symbol": "circle", "size": 10, "color": BLUE}),
    )
    fell_out = np.array(points.fell_out, dtype=np.int64)
    for kind, name, marker in looks:
        rows = np.setdiff1d(np.flatnonzero(kinds == kind), fell_out)
        figure.add_trace(scatter(go, points.columns, rows, across, up, name=name, marker=marker))
    if len(fell_out):
        marker = {"symbol": "circle-open", "size": 10, "color": BLUE}
        figure.add_trace(scatter(go, points.columns, fell_out, across, up, name=FELL_OUT, marker=marker))
    for line in points.attainments():
        if {line.x, line.y} == {across.name, up.name}:
            rows = np.array(line.rows, dtype=np.int64)
            figure.add_trace(step_line(go, points.columns, rows, across, up))
    if baselines is not None and (elsewhere or not differing):
        figure.add_trace(_baselines(go, baselines, across, up, is_here=not differing))
    volume = "" if points.hypervolume is None else f", hypervolume {points.hypervolume:.4g}"
    title = f"{escape(record.name)}: {len(points.front)} on the front of {len(points.columns)} tried{volume}"
    title += f"<br><sup>{escape(points.standing, quote=False)}</sup>"
    if differing:
        title += f"<br><sup>{escape(told_apart(differing, is_drawn=elsewhere), quote=False)}</sup>"
    return laid_out(figure, title, across.title, up.title)


def _baselines(go: Any, points: StudyPoints, x: FigureName, y: FigureName, *, is_here: bool) -> Any:
    known = {found.name for found in (*points.columns.objectives, *points.columns.figures)}
    rows = np.flatnonzero(np.isin(points.kinds(), (FRONT, DOMINATED)) & ({x.name, y.name} <= known))
    marker = {"symbol": "star" if is_here else "star-open", "size": 12, "color": GREEN}
    name = f"baselines, measured {'here' if is_here else 'elsewhere'}"
    if not len(rows):
        return go.Scatter(x=[], y=[], name=name, mode="markers", marker=marker)
    trace = scatter(go, points.columns, rows, x, y, name=name, marker=marker)
    return trace.update(mode="markers+text", textposition="bottom center", texttemplate="%{customdata}")


def progress(*studies: Named, over: str = "tried", db: str | Path | None = None) -> Figure:
    """How the hypervolume grew, a line a study; of several against the corner and in the milliseconds of the first.

    Args:
        over: "tried" (architectures), "seconds" (since the start) or "device_seconds" (training and timing).

    Raises:
        ConfigError: no study, another `over`, or the first has no reference point yet.
        StoreError: no such database or study.
    """
    import plotly.graph_objects as go

    titles = {
        "tried": "architectures tried",
        "seconds": "seconds since the start",
        "device_seconds": "seconds of training and timing",
    }
    if over not in titles:
        raise ConfigError(f"over={over!r}; allowed: {', '.join(titles)}{nearest(over, titles) or '; use one of them'}")
    if not studies:
        raise ConfigError("no study; at least one is drawn; name it")
    figure = go.Figure()
    corner: tuple[float, ...] = ()
    first: StudyRecord | None = None
    for study in studies:
        with opened(study, db) as (reader, record):
            points = points_of(reader, record)
        if first is None:
            first = record
            corner = tuple(float(record.hypervolume_reference.get(name, np.nan)) for name in record.objectives)
            if np.isnan(corner).any():
                raise ConfigError(
                    f"study {record.name!r} has no reference point of the hypervolume yet; it comes with the first "
                    "timings; draw it later"
                )
        found = points.progress_against(objective_points(points, told_in=told_in(first, record)), corner)
        figure.add_trace(
            go.Scatter(
                x=[0.0, *getattr(found, over)],
                y=[0.0, *found.hypervolume],
                mode="lines",
                line={"shape": "hv", "width": 2},
                name=escape(record.name, quote=False),
            )
        )
    return laid_out(figure, "hypervolume of the front", titles[over], "hypervolume")


def parallel(study: Named, *, only_front: bool = False, db: str | Path | None = None) -> Figure:
    """Choices on the left, objectives on the right, a line a trial; words that never change are left out.

    Raises:
        StoreError: no such database or study.
    """
    import plotly.graph_objects as go

    with opened(study, db) as (reader, record):
        points = points_of(reader, record)
        kinds = points.kinds()
        wanted = (FRONT,) if only_front else (FRONT, DOMINATED)
        # The front last, so that it lies on top.
        rows = sorted(np.flatnonzero(np.isin(kinds, wanted)).tolist(), key=lambda row: (kinds[row] == FRONT, row))
        rows = rows[-_MOST_LINES:]
        ids = points.columns.column("trial_id")
        found = reader.architectures([int(ids[row]) for row in rows])
    words = [words_of(found[int(ids[row])]) for row in rows]
    dimensions = [*choice_dimensions(words), *figure_dimensions(points.columns, rows)]
    figure = go.Figure(
        go.Parcoords(
            dimensions=dimensions,
            line={
                "color": [float(kinds[row] == FRONT) for row in rows],
                "colorscale": [[0.0, FAINT], [1.0, BLUE]],
                "cmin": 0.0,
                "cmax": 1.0,
            },
            labelangle=-30,
            labelside="bottom",
        )
    )
    figure.update_layout(
        template=TEMPLATE,
        title=f"{escape(record.name)}: {len(rows)} networks that reached the top rung, the front in blue",
        height=520,
        margin={"b": 120},
    )
    return figure


def compare(first: Named, second: Named, *, db: str | Path | None = None) -> Figure:
    """The fronts of two studies over the first two objectives, in the milliseconds of the first.

    Raises:
        ConfigError: figures of the two do not compare; the message says what differs.
        StoreError: no such database or study.
    """
    import plotly.graph_objects as go

    with opened(first, db) as (reader, own):
        left, own_fidelity = points_of(reader, own), reader.fidelity(own.id)
    with opened(second, db) as (reader, other):
        right, other_fidelity = points_of(reader, other), reader.fidelity(other.id)
    refused = differences(own, other, (own_fidelity, other_fidelity))
    if refused:
        raise ConfigError(
            f"{own.name!r} and {other.name!r} differ in {'; '.join(refused[:3])}; fronts of one machine, one data set "
            "and one training compare; draw them apart"
        )
    factor = told_in(own, other)
    across, up = axes_of(left.columns, None, None)
    figure = go.Figure()
    for points, record, colour, scale in ((left, own, BLUE, 1.0), (right, other, RED, factor)):
        line = next((found for found in points.attainments() if {found.x, found.y} == {across.name, up.name}), None)
        rows = np.array([] if line is None else line.rows, dtype=np.int64)
        trace = step_line(go, points.columns, rows, across, up, scale=scale, colour=colour)
        figure.add_trace(trace.update(mode="lines+markers", name=escape(record.name, quote=False), showlegend=True))
    return laid_out(figure, f"fronts of {escape(own.name)} and {escape(other.name)}", across.title, up.title)


def intervals(study: Named, *, latency: str | None = None, db: str | Path | None = None) -> Figure:
    """Latencies of the front with their 95 % intervals, the fastest first.

    Args:
        latency: of a study with several runners, `latency_ms:NAME`; by default that of the first.

    Raises:
        ConfigError: no latency of that name.
        StoreError: no such database or study.
    """
    import plotly.graph_objects as go

    with opened(study, db) as (reader, record):
        points = points_of(reader, record)
    columns = points.columns
    name = columns.latencies[0] if latency is None else latency
    if name not in columns.latencies:
        known = columns.latencies
        raise ConfigError(
            f"no latency {name!r} in {record.name!r}; known: {', '.join(known)}{nearest(name, known) or '; use one'}"
        )
    middle = columns.figure(name)
    rows = sorted((row for row in points.front if np.isfinite(middle[row])), key=lambda row: middle[row])
    rows = rows[:_MOST_INTERVALS]
    chosen = np.array(rows, dtype=np.int64)
    low, high = columns.column(f"low {name}")[chosen], columns.column(f"high {name}")[chosen]
    figure = go.Figure(
        go.Scatter(
            x=middle[chosen],
            y=[label(columns, row) for row in rows],
            mode="markers",
            marker={"color": BLUE, "size": 8},
            error_x=error(middle[chosen], low, high),
            hovertemplate="%{y}: %{x:.3f} ms<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", type="category")
    title = next(found.title for found in (*columns.objectives, *columns.figures) if found.name == name)
    figure = laid_out(figure, f"{escape(record.name)}: the front with 95 % intervals", title, "")
    return figure.update_layout(height=180 + 26 * len(rows))


def samplers(panels: Sequence[Panel]) -> Figure:
    """Normalised hypervolume against what was spent, a panel a task and scale, with bands of a standard deviation.

    Args:
        panels: of `bench.simulate.comparison`.

    Raises:
        ConfigError: there is none.
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    if not panels:
        raise ConfigError("nothing to draw; one panel at least is needed; simulate a sampler first")
    across = min(2, len(panels))
    titles = [f"{escape(panel.task)}, {panel.scale}" for panel in panels]
    figure = make_subplots(rows=-(-len(panels) // across), cols=across, subplot_titles=titles)
    labels = list(dict.fromkeys(line.label for panel in panels for line in panel.lines))
    for place, panel in enumerate(panels):
        row, col = place // across + 1, place % across + 1
        for line in panel.lines:
            colour = _COLOURS[labels.index(line.label) % len(_COLOURS)]
            is_first = not any(line.label == other.label for before in panels[:place] for other in before.lines)
            for trace in _band(go, line, colour, is_named=is_first):
                figure.add_trace(trace, row=row, col=col)
        figure.update_xaxes(title_text=panel.over, row=row, col=col)
        figure.update_yaxes(title_text="normalised hypervolume", range=_range(panel), row=row, col=col)
    return figure.update_layout(
        template=TEMPLATE,
        height=120 + 400 * (-(-len(panels) // across)),
        margin={"t": 50},
        legend={"orientation": "h", "y": -0.12},
        hovermode="x unified",
    )


def _band(go: Any, line: Line, colour: str, *, is_named: bool) -> list[Any]:
    """A mean with its band; a single search has none."""
    spent, mean = np.array(line.summary.spent), np.array(line.summary.mean)
    spread = np.array(line.summary.spread)
    name = f"{escape(line.label, quote=False)} ({line.seeds} seeds)"
    shared = {"legendgroup": line.label, "mode": "lines", "hoverinfo": "skip", "showlegend": False}
    edges = {"line": {"width": 0, "shape": "hv"}}
    band = [
        go.Scatter(x=spent, y=np.minimum(mean + spread, 1.0), **edges, **shared),
        go.Scatter(
            x=spent, y=np.maximum(mean - spread, 0.0), fill="tonexty", fillcolor=_faint(colour), **edges, **shared
        ),
    ]
    middle = go.Scatter(
        x=spent,
        y=mean,
        mode="lines",
        name=name,
        legendgroup=line.label,
        showlegend=is_named,
        line={"color": colour, "width": 2, "shape": "hv"},
        customdata=spread,
        hovertemplate="%{y:.3f} (sd %{customdata:.3f})",
    )
    return [*(band if line.seeds > 1 else []), middle]


def _range(panel: Panel) -> tuple[float, float]:
    """Up to 1, from a little below where the worst is after a twentieth of the way: the first steps are all alike."""
    starts = [line.summary.at(line.summary.spent[-1] / 20)[0] for line in panel.lines]
    return max(0.0, min(starts) - 0.1), 1.01


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.15)"
