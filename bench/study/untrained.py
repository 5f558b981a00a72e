"""Scores candidates without training them, by where zero-cost proxies put them in their space: in place of trainings;
or, among networks of their size, before them, where a constraint such as `zero_cost_at_size >= 0.3` asks for it.

What a proxy says is told by a few networks that are drawn from the space when the study begins
(bench/proxies/zero_cost/combination.py); their medians and spreads are an event of the study, so that a study taken up
again, and its baselines, are told by the same. Such a score ranks networks and is no accuracy; README says how well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import TrainingError
from bench.measure.exclusive import cpu_lock_folder, shared
from bench.space import Architecture, CostFunction, Space, draw
from bench.study.config import StudyConfig

if TYPE_CHECKING:
    from bench.store import Reader, Store, StudyRecord

EVENT = "zero_cost"
# The figure that a constraint bounds, as bench.report.figure_names calls it too (workers do without the database that
# this imports), and the event that holds what it is told by.
ZERO_COST_AT_SIZE = "zero_cost_at_size"

# Median and spread of each part of the score, as `bench.proxies.zero_cost.Standards` after a way through JSON.
Standards = Mapping[str, Any]

# Networks that a score is told by; quartiles of so many are good to a tenth of the spread, for some seconds.
_DRAWN = 24


def study_standards(
    store: Store,
    study: StudyRecord,
    config: StudyConfig,
    space: Space,
    costs: CostFunction,
    progress: Callable[[str, int, int], None],
) -> dict[str, Standards]:
    """What the scores that a study asks for are told by, as it was when the study began.

    Returns:
        Under `EVENT` that of `untrained_score`, unless candidates are trained; under `ZERO_COST_AT_SIZE` that of
        `score_at_size`, where a constraint asks for it.

    Raises:
        SearchError: no network of the space can be scored so.
    """
    from bench.proxies.zero_cost.combination import size_standards_of, standards_of
    from bench.study.constraints import reads_zero_cost
    from bench.study.evaluation import cache_folder

    asked: dict[str, Callable[[Sequence[Mapping[str, float]]], Mapping[str, Sequence[float]]]] = {}
    if config.proxy.kind == "zero-cost":
        asked[EVENT] = standards_of
    if reads_zero_cost(config.constraints):
        asked[ZERO_COST_AT_SIZE] = size_standards_of
    found: dict[str, Standards] = {}
    drawn: list[dict[str, float]] = []
    for kind, standards_from in asked.items():
        known = _stored(store, study, kind)
        if known is None:
            drawn = drawn or drawn_features(space, costs, seed=config.seed, cache=cache_folder(), progress=progress)
            known = {name: list(told) for name, told in standards_from(drawn).items()}
            store.record_event(study.id, kind, known)
        found[kind] = known
    return found


def take_over_standards(store: Store, study: StudyRecord, original: StudyRecord) -> None:
    """Gives a study the standards of another, so that their scores are told by the same."""
    for kind in (EVENT, ZERO_COST_AT_SIZE):
        if (known := _stored(store, original, kind)) is not None:
            store.record_event(study.id, kind, known)


def drawn_features(
    space: Space,
    costs: CostFunction,
    *,
    seed: int,
    cache: Path | None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> list[dict[str, float]]:
    """The parts of the score for networks drawn from a space, by which the standards are made."""
    from bench.proxies.zero_cost import PARTS, zero_cost_features

    random = np.random.default_rng([seed, _DRAWN])
    rows = []
    for number in range(_DRAWN):
        progress("zero-cost scores of the space", number, _DRAWN)
        drawn = draw(space, random, costs)
        with shared(cpu_lock_folder()):
            rows.append(zero_cost_features(drawn, names=PARTS, seed=seed, cache_dir=cache))
    progress("zero-cost scores of the space", _DRAWN, _DRAWN)
    return rows


def untrained_score(architecture: Architecture, standards: Standards, *, seed: int, cache: Path) -> dict[str, Any]:
    """The zero-cost score of an architecture, in the shape of `bench.proxies.training.Score.to_dict`.

    Its `accuracy` is the score between 0 and 1, its `loss` what that lacks to 1: neither is one.

    Raises:
        TrainingError: a part of the score is not finite.
        NetworkError: the network cannot be built.
    """
    import torch

    from bench.proxies.zero_cost import NUM_PICTURES, RESOLUTION, combine, zero_cost_features
    from bench.proxies.zero_cost.features import VERSION

    begin = time.perf_counter()
    parts = zero_cost_features(architecture, names=tuple(standards), seed=seed, cache_dir=cache)
    value = combine(parts, {name: tuple(found) for name, found in standards.items()})
    if not np.isfinite([value, *parts.values()]).all():
        raise TrainingError(f"zero-cost score {value} of {parts}; finite numbers are needed; search with trainings")
    return {
        "name": "zero_cost",
        "accuracy": value,
        "loss": 1.0 - value,
        "curve": [],
        "fidelity": {
            "score": "zero_cost",
            "data": "generated pictures of the zero-cost proxies",
            "data_hash": f"zero-cost-v{VERSION}-{seed}",
            "resolution": RESOLUTION,
            "images_seen": NUM_PICTURES,
            "threads": torch.get_num_threads(),
            "precision": "float32",
            "device": "cpu",
            "seed": seed,
            "parts": parts,
            "standards": {name: list(found) for name, found in standards.items()},
        },
        "seconds": time.perf_counter() - begin,
        "waiting_share": 0.0,
    }


def score_at_size(architecture: Architecture, standards: Standards, *, seed: int, cache: Path) -> tuple[float, float]:
    """How an architecture looks untrained beside others of its size, between 0 and 1, and the seconds that it took.

    Args:
        standards: of `study_standards`.

    Raises:
        TrainingError: a part of it is not finite.
        NetworkError: the network cannot be built.
    """
    from bench.proxies.zero_cost import zero_cost_features
    from bench.proxies.zero_cost.combination import combine_at_size

    begin = time.perf_counter()
    parts = zero_cost_features(architecture, names=(*standards, "macs_g"), seed=seed, cache_dir=cache)
    value = combine_at_size(parts, {name: tuple(line) for name, line in standards.items()})
    if not np.isfinite([value, *parts.values()]).all():
        raise TrainingError(
            f"zero-cost score {value} of {parts}; finite numbers are needed; leave the constraint on it out"
        )
    return value, time.perf_counter() - begin


def _stored(store: Reader, study: StudyRecord, kind: str) -> dict[str, Any] | None:
    found = [event.data for event in store.events(study.id) if event.kind == kind]
    return dict(found[-1]) if found else None
