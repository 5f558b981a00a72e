"""What figures are called on pages and in charts: titles, short names, units, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from bench.errors import ConfigError
from bench.report.constraints import read_constraint
from bench.store import ACCURACY, LATENCY, SCORES, SUPERNET, ZERO_COST, StudyRecord, is_latency, latency_figure

# What candidates are bounded by before their training; bench.study.untrained gives it.
ZERO_COST_AT_SIZE = "zero_cost_at_size"

TITLES = {
    ACCURACY: "accuracy (top-1, short training)",
    ZERO_COST: "zero-cost score (nothing trained; no accuracy)",
    SUPERNET: "supernet accuracy (top-1, shared weights; not trained alone)",
    LATENCY: "latency (ms, batch 1)",
    "params_m": "parameters (M, deploy form)",
    "macs_g": "MACs (G, deploy form)",
    "artifact_mb": "artifact (MB)",
    ZERO_COST_AT_SIZE: "zero-cost score among networks of its size",
}
_SHORT = {ACCURACY: ("accuracy", ""), ZERO_COST: ("zero-cost score", "")}
_SHORT |= {SUPERNET: ("supernet accuracy", ""), LATENCY: ("latency", "ms")}
_SHORT |= {"params_m": ("params", "M"), "macs_g": ("MACs", "G"), "artifact_mb": ("artifact", "MB")}
_SHORT |= {ZERO_COST_AT_SIZE: ("zero-cost at size", "")}
_COSTS = ("params_m", "macs_g", "artifact_mb")
_BOUNDED = (ZERO_COST_AT_SIZE,)


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureName:
    """A figure of a study's trials.

    Attributes:
        name: in the store; with several runners a latency is `latency_ms:NAME`.
        title: for an axis, with its unit.
        short: for a narrow heading, without it.
        unit: may be empty.
        maximise: whether more is better.
        is_measured: False for what is exact once the architecture is known.
        runner: of a latency.
    """

    name: str
    title: str
    short: str
    unit: str
    maximise: bool
    is_measured: bool
    runner: str | None


def figure_name(name: str, *, runners: tuple[str, ...] = (), maximise: bool | None = None) -> FigureName:
    """The words for a figure; one of an unknown name is told as it is.

    Args:
        runners: of the study; the runner of a latency that does not say it.
        maximise: as a study's objectives have it; None: as usual.
    """
    base, _, runner = name.partition(":")
    short, unit = _SHORT.get(base, (base, ""))
    where = f" on {runner}" if runner else ""
    return FigureName(
        name=name,
        title=TITLES.get(base, base) + where,
        short=short + where,
        unit=unit,
        maximise=base in (*SCORES, *_BOUNDED) if maximise is None else maximise,
        is_measured=base == ACCURACY or is_latency(name),
        runner=(runner or next(iter(runners), None)) if is_latency(name) else None,
    )


def seen_words(score: str, images: int) -> str:
    """Behind a comparison: what it was made by, or after how many pictures of training."""
    return f"at {images:,} pictures" if score == ACCURACY else f"by {figure_name(score).short}"


def objective_names(study: StudyRecord) -> tuple[FigureName, ...]:
    """The objectives of a study, in its order."""
    return tuple(
        figure_name(name, runners=study.runners, maximise=direction == "maximize")
        for name, direction in study.objectives.items()
    )


def further_names(study: StudyRecord) -> tuple[FigureName, ...]:
    """Figures that its trials may have besides: latencies, then costs."""
    names = [latency_figure(runner, study.runners) for runner in study.runners] + [*_COSTS, *bounded_names(study)]
    return tuple(
        figure_name(name, runners=study.runners) for name in dict.fromkeys(names) if name not in study.objectives
    )


def bounded_names(study: StudyRecord) -> tuple[str, ...]:
    """Figures that its trials have only because a constraint bounds them."""
    found = []
    for text in study.config.get("constraints") or ():
        with suppress(ConfigError):  # of a later version
            found.append(read_constraint(text).figure)
    return tuple(name for name in dict.fromkeys(found) if name in _BOUNDED)


def titles(study: StudyRecord) -> Mapping[str, str]:
    """Of all figures of a study."""
    return {found.name: found.title for found in (*objective_names(study), *further_names(study))}
