"""What became of published networks in a study: which networks found beat them, and which were not tried.

Two kinds of accuracy never mix: a network that was stopped below the top rung is compared at the highest rung that it
reached, with rivals at that same rung.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench import pareto
from bench.networks.cost import cost_quantities
from bench.report.retrained import lower_difference
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A network of the provisional front against a published one, both trained again.

    Attributes:
        name: of the published one, such as `fastvit_t8`.
        against: number of its trial.
        number: of the network's.
        score: mean over seeds, minus the other's.
        score_low: its lower 95 % bound, one-sided; None with one seed.
        costs: of the network as a share of the other's, by objective: 0.8 is a fifth less.
    """

    name: str
    against: int
    number: int
    score: float
    score_low: float | None
    costs: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        return asdict(self)


def differences(view: StudyView) -> tuple[Difference, ...]:
    """Every network of the provisional front that is not published against every published one, as far as both were
    trained again; none before the front is final.

    Of the provisional front, as the final one is chosen by the scores that are told here. Each is told on its own: of
    twenty lower bounds of 95 % one is too high.
    """
    told = [trial for trial in view.trials if trial.retrained is not None and trial.retrained.scores]
    found = []
    for reference in (trial for trial in told if trial.name is not None and view.is_final):
        for trial in (trial for trial in told if trial.is_provisional and trial.name is None):
            assert trial.retrained is not None
            assert reference.retrained is not None
            found.append(
                Difference(
                    name=str(reference.name),
                    against=reference.number,
                    number=trial.number,
                    score=trial.retrained.mean - reference.retrained.mean,
                    score_low=lower_difference(trial.retrained, reference.retrained),
                    costs={name: trial.figures[name] / reference.figures[name] for name in view.objectives[1:]},
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
