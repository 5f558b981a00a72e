"""Figures, specified with Plotly: the same in a notebook and in a saved page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.measure.catalogue import RUNNERS
from bench.report.figure_names import TITLES, figure_name
from bench.report.likeness import told_apart
from bench.report.page import write_whole
from bench.report.retrained import FELL_OUT
from bench.report.views import StudyView, TrialView
from bench.store import ACCURACY, SUPERNET, is_latency

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Of a stage, in a hover text: the first words of a vocabulary say most.
_WORDS_SHOWN = 4

# What a study's candidates did with so many pictures; by its score.
_SEEN = {ACCURACY: "at the top rung", SUPERNET: "seen by the supernet"}


def front_figure(view: StudyView, baselines: StudyView | None = None, *, differing: Sequence[str] = ()) -> Figure:
    """Accuracy against a cost: the front, what it dominates, the reference points, stopped trials, baselines.

    Trials stopped below the top rung are drawn faint and hollow at the accuracy they had by then, since they saw
    fewer pictures. Latencies of the front carry their 95 % intervals. Of several costs, such as a latency on each of
    several runners, the first is drawn and a menu leads to the others.

    Args:
        baselines: published networks that were trained and timed for the study.
        differing: in what these were measured under other conditions (`likeness.differences_in`); where anything is,
            they are left out, and the title says so.
    """
    import plotly.graph_objects as go

    costs = view.objectives[1:]
    if differing:
        baselines = None
    figure = go.Figure()
    # Index of a trace -> its cost.
    shown: list[str] = []
    for cost in costs:
        for trace in _traces(go, view, baselines, cost):
            trace.visible = cost == costs[0]
            figure.add_trace(trace)
            shown.append(cost)
    figure.update_layout(
        template="plotly_white",
        title=_title(view, differing),
        xaxis_title=_title_of(costs[0]),
        yaxis_title=TITLES[view.score_name],
        legend={"orientation": "h", "y": -0.18},
        margin={"t": 105},
        hovermode="closest",
    )
    if len(costs) > 1:
        figure.update_layout(updatemenus=[_menu(costs, shown)])
    return figure


def _menu(costs: Sequence[str], shown: Sequence[str]) -> dict[str, Any]:
    """Chooses the cost that is drawn; the traces of the others are in the page too."""
    buttons = [
        {
            "label": _title_of(cost),
            "method": "update",
            "args": [{"visible": [cost == own for own in shown]}, {"xaxis.title.text": _title_of(cost)}],
        }
        for cost in costs
    ]
    return {"buttons": buttons, "x": 1.0, "xanchor": "right", "y": 1.02, "yanchor": "bottom", "showactive": True}


def _traces(go: Any, view: StudyView, baselines: StudyView | None, cost: str) -> list[Any]:
    groups: dict[str, tuple[list[TrialView], dict[str, Any]]] = {
        "stopped early (fewer pictures seen)": ([], {"symbol": "circle-open", "size": 6, "color": "#b8bfc6"}),
        "breaks a rule": ([], {"symbol": "x-open", "size": 7, "color": "#b8bfc6"}),
        "dominated": ([], {"symbol": "circle", "size": 7, "color": "#7f8c99"}),
        **({FELL_OUT: ([], {"symbol": "circle-open", "size": 10, "color": "#0b6bcb"})} if view.fell_out else {}),
        "front": ([], {"symbol": "circle", "size": 10, "color": "#0b6bcb"}),
    }
    for trial in view.trials:
        if trial.rung is None or cost not in trial.figures or trial.status == "failed":
            continue
        name = (
            "front"
            if trial.is_front
            else FELL_OUT
            if trial.is_provisional
            else "stopped early (fewer pictures seen)"
            if trial.rung != view.top_rung
            else "dominated"
            if trial.infeasible is None
            else "breaks a rule"
        )
        groups[name][0].append(trial)
    stairs = _stairs(view, cost)
    references = [trial for trial in view.trials if trial.name and trial.rung is not None and cost in trial.figures]
    return [
        *(_scatter(go, trials, cost, name=name, marker=marker) for name, (trials, marker) in groups.items()),
        go.Scatter(
            x=[x for x, _ in stairs],
            y=[y for _, y in stairs],
            mode="lines",
            name="attained",
            hoverinfo="skip",
            line={"color": "#0b6bcb", "width": 1.5, "shape": "hv"},
            showlegend=False,
        ),
        go.Scatter(
            x=[trial.figures[cost] for trial in references],
            y=[trial.accuracy[trial.rung or 0] for trial in references],
            text=[escape(trial.name or "", quote=False) for trial in references],
            textposition="top center",
            mode="markers+text",
            name="reference points",
            hoverinfo="skip",
            marker={"symbol": "diamond-open", "size": 15, "color": "#c2410c", "line": {"width": 2}},
        ),
        *([] if baselines is None else [_baselines(go, baselines, cost)]),
    ]


def _baselines(go: Any, view: StudyView, cost: str) -> Any:
    trials = [
        trial
        for trial in view.trials
        if trial.rung == view.top_rung and cost in trial.figures and trial.status != "failed"
    ]
    return go.Scatter(
        x=[trial.figures[cost] for trial in trials],
        y=[trial.accuracy[view.top_rung] for trial in trials],
        text=[escape(trial.name or trial.architecture_id, quote=False) for trial in trials],
        textposition="bottom center",
        textfont={"size": 10},
        mode="markers+text",
        name="baselines, measured here",
        marker={"symbol": "square-open", "size": 9, "color": "#15803d", "line": {"width": 2}},
        hovertemplate=f"%{{text}}: %{{x:.4g}}, {figure_name(view.score_name).short} %{{y:.4f}}<extra></extra>",
    )


def write_page(figure: Figure, path: Path) -> None:
    """One HTML file with plotly.js inside: it opens without a network. Written whole or not at all."""
    text = figure.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False, "responsive": True})
    write_whole(path, text)


def _scatter(go: Any, trials: list[TrialView], cost: str, *, name: str, marker: dict[str, Any]) -> Any:
    error = None
    if is_latency(cost) and name == "front":
        middle = [trial.figures[cost] for trial in trials]
        error = {
            "type": "data",
            "symmetric": False,
            "thickness": 1.2,
            "width": 3,
            "array": [float(trial.latencies[cost]["high_ms"]) - x for trial, x in zip(trials, middle, strict=True)],
            "arrayminus": [x - float(trial.latencies[cost]["low_ms"]) for trial, x in zip(trials, middle, strict=True)],
        }
    return go.Scatter(
        x=[trial.figures[cost] for trial in trials],
        y=[trial.accuracy[trial.rung or 0] for trial in trials],
        mode="markers",
        name=name,
        marker=marker,
        error_x=error,
        hovertemplate="%{text}<extra></extra>",
        text=[_hover(trial) for trial in trials],
    )


def _hover(trial: TrialView) -> str:
    stages = "<br>".join(
        f"stage {place}: " + ", ".join(f"{word} {value}" for word, value in list(stage.items())[:_WORDS_SHOWN])
        for place, stage in enumerate(trial.architecture["stages"], start=1)
    )
    figures = ", ".join(f"{escape(name, quote=False)} {value:.4g}" for name, value in trial.figures.items())
    fell_out = f"{FELL_OUT}<br>" if trial.is_provisional and not trial.is_front else ""
    return (
        f"<b>#{trial.number} {escape(trial.name or trial.architecture_id, quote=False)}</b><br>"
        f"{fell_out}{figure_name(trial.score_name).short} {trial.accuracy[trial.rung or 0]:.3f} "
        f"after {trial.images_seen:,} pictures<br>{figures}<br>{stages}"
    )


def _stairs(view: StudyView, cost: str) -> list[tuple[float, float]]:
    """The attained line over accuracy and one cost: best accuracy for at most that cost."""
    points: list[tuple[float, float]] = []
    for trial in sorted(view.front, key=lambda trial: trial.figures[cost]):
        accuracy = trial.accuracy[view.top_rung]
        if not points or accuracy > points[-1][1]:
            points.append((trial.figures[cost], accuracy))
    return points


def _title_of(objective: str) -> str:
    """For an axis; with several runners a latency is told with its own."""
    return escape(figure_name(objective).title, quote=False)


def _title(view: StudyView, differing: Sequence[str]) -> str:
    study, data = view.study, view.study.config["data"]["source"]
    machine = study.fingerprint.get("machine", {}).get("cpu", "an unnamed machine")
    if not set(study.runners) <= set(RUNNERS):
        machine = ", ".join(study.runners)
    seen = _SEEN.get(view.score_name, "looked at, nothing trained")
    hypervolume = "" if view.hypervolume is None else f", hypervolume {view.hypervolume:.4g}"
    return (
        f"{escape(study.name)}: {len(view.front)} on the front of {len(view.trials)} tried{hypervolume}"
        f"<br><sup>space {escape(study.space_name)}, data {escape(str(data))}, "
        f"{study.config['proxy']['images']:,} pictures {seen}, timed on {escape(str(machine))}</sup>"
        f"<br><sup>{escape(view.standing, quote=False)}</sup>"
        + (f"<br><sup>{escape(told_apart(differing, is_drawn=False), quote=False)}</sup>" if differing else "")
    )
