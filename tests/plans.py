"""What the studies of `planned_studies` are: each trial follows from the plan's seed and the trial's number."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TOP_RUNG = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a study is.

    Attributes:
        num_trials: written by `write_study`; also the budget.
        objectives: accuracy first.
        runners: with several, a latency each.
        failed: share of trials that fail.
        top: share of the others that reach the top rung.
        status: of the study; None: it goes on running.
        names: of networks that are tried as reference points, first of all.
        others: figures that take the place of the usual ones, by trial number.
    """

    name: str = "synthetic"
    num_trials: int = 60
    objectives: tuple[str, ...] = ("accuracy", "latency_ms")
    runners: tuple[str, ...] = ("cpu",)
    seed: int = 0
    failed: float = 0.05
    top: float = 0.4
    status: str | None = "complete"
    sampler: str = "tpe"
    rules: tuple[str, ...] = ()
    machine: str = "a synthetic CPU"
    data: str = "fractals"
    names: tuple[str, ...] = ("fastvit_t8",)
    others: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One trial with all that became of it.

    Attributes:
        latencies: milliseconds by runner; empty where it failed before.
        scores: accuracy at each rung that it reached.
    """

    number: int
    architecture: Mapping[str, Any]
    source: str
    status: str
    reason: str | None
    costs: Mapping[str, float]
    latencies: Mapping[str, float]
    scores: tuple[float, ...]

    @property
    def architecture_id(self) -> str:
        return f"{self.number:016x}"


def trial(plan: Plan, number: int) -> Trial:
    """The trial of that number, always the same one."""
    chance = random.Random(f"{plan.seed}/{number}")
    name = plan.names[number] if number < len(plan.names) else None
    size = min(1.0, 0.25 + 0.15 * number) if name else chance.uniform(0.05, 1.0)
    luck = 0.0 if name else chance.gauss(0.0, 0.035) - abs(chance.gauss(0.0, 0.03))
    architecture = _architecture(chance, size)
    costs = {"params_m": 1.0 + 14.0 * size, "macs_g": 0.1 + 2.7 * size, "artifact_mb": 4.0 + 57.0 * size}
    costs = {key: value * chance.uniform(0.93, 1.07) for key, value in costs.items()}
    latencies = {
        runner: (3.0 + 34.0 * size * chance.uniform(0.8, 1.25)) * (1.0 + 0.7 * place)
        for place, runner in enumerate(plan.runners)
    }
    best = 0.45 + 0.42 * size**0.35 + luck
    scores = tuple(round(max(0.02, best * share), 4) for share in (0.35, 0.7, 1.0))
    has_failed = name is None and chance.random() < plan.failed
    is_top = name is not None or chance.random() < plan.top
    found: dict[str, Any] = {
        "status": "failed" if has_failed else "complete" if is_top else "stopped",
        "reason": "the training diverged: loss is nan" if has_failed else None if is_top else "not on the front",
        "costs": costs,
        "latencies": {} if has_failed and number % 2 else latencies,
        "scores": scores[: 0 if has_failed else TOP_RUNG + 1 if is_top else chance.choice((1, 2))],
        "source": f"reference:{name}" if name else f"sampler:{plan.sampler}",
        "architecture": architecture,
    }
    return Trial(number=number, **{**found, **plan.others.get(number, {})})


def _architecture(chance: random.Random, size: float) -> dict[str, Any]:
    widths = [(32, 48, 56, 64), (64, 96, 112, 128), (128, 192, 224, 256), (256, 384, 448, 512)]
    stages = []
    for place, choices in enumerate(widths):
        mixer = chance.choice(("repmixer", "attention")) if place > 1 else "repmixer"
        stages.append(
            {
                "mixer": mixer,
                "depth": chance.randint(1, 6),
                "width": choices[min(3, int(size * 4))],
                "mlp_ratio": chance.choice((2, 3, 4)),
                "ffn_kernel": chance.choice((3, 5, 7)),
                "position": "none",
            }
            | ({"mixer_kernel": 3} if mixer == "repmixer" else {"head_dim": 32})
            | ({"downsample_kernel": 7} if place else {})
        )
    settings = {"input_resolution": 256, "stem_width": stages[0]["width"], "activation": "gelu"}
    return {
        "family": "fastvit",
        "settings": settings | {"train_branches": 1, "head_squeeze_excite": True, "head_expansion": 2},
        "stages": stages,
    }
