"""What became of published networks in a study: which networks found beat them, and which were not tried.

Two kinds of accuracy never mix: a network that was stopped below the top rung is compared at the highest rung that it
reached, with rivals at that same rung.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench import pareto
from bench.networks.cost import cost_quantities
from bench.report.views import StudyView, point
from bench.space import Architecture, parse_space


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceVerdict:
    """What became of one reference point.

    Attributes:
        name: such as `fastvit_t8`.
        number: of its trial.
        dominated_by: numbers of other trials that are nowhere worse and somewhere better, at the same rung.
        images_seen: pictures behind that comparison.
    """

    name: str
    number: int
    dominated_by: tuple[int, ...]
    images_seen: int


def reference_verdicts(view: StudyView) -> tuple[ReferenceVerdict, ...]:
    """For each reference point that was tried: which networks found beat it, at the same pictures seen."""
    found = []
    for reference in view.trials:
        if reference.name is None or reference.rung is None or reference.status == "failed":
            continue
        rivals = [
            rival.number
            for rival in view.trials
            if rival.name is None
            and rival.status != "failed"
            and rival.infeasible is None
            and reference.rung in rival.accuracy
            and pareto.dominates(
                point(rival, view.objectives, reference.rung),
                point(reference, view.objectives, reference.rung),
                maximise=view.maximise,
            )
        ]
        found.append(
            ReferenceVerdict(
                name=reference.name,
                number=reference.number,
                dominated_by=tuple(rivals),
                images_seen=reference.images_seen,
            )
        )
    return tuple(found)


def baseline_verdicts(view: StudyView, baselines: StudyView) -> tuple[ReferenceVerdict, ...]:
    """For each baseline that reached the top rung: which of the study's networks beat it there."""
    found = []
    for baseline in baselines.trials:
        if baseline.rung != baselines.top_rung or baseline.status == "failed":
            continue
        mark = point(baseline, baselines.objectives, baselines.top_rung)
        rivals = [
            rival.number
            for rival in view.front
            if rival.architecture_id != baseline.architecture_id
            and pareto.dominates(point(rival, view.objectives, view.top_rung), mark, maximise=view.maximise)
        ]
        found.append(
            ReferenceVerdict(
                name=baseline.name or baseline.architecture_id,
                number=baseline.number,
                dominated_by=tuple(rivals),
                images_seen=baseline.images_seen,
            )
        )
    return tuple(found)


def left_out(view: StudyView) -> dict[str, tuple[str, ...]]:
    """Reference points that were not tried, with the reasons: outside the choices, or against a rule."""
    if not view.study.config["try_reference_points"]:
        return {}
    space = parse_space(view.study.space_text, source=f"space of study {view.study.name!r}")
    found = {}
    for name, architecture in space.reference_points.items():
        rules = (f"breaks {rule}" for rule in space.broken_rules(architecture, _costs))
        if reasons := (*space.outside(architecture), *rules):
            found[name] = reasons
    return found


def _costs(architecture: Architecture) -> dict[str, float]:
    # What was skipped for its predicted latency is not named here: only the search knows the prediction.
    return {**cost_quantities(architecture), "latency_ms": 0.0}
