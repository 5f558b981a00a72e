"""The ends of a space: the networks at its corners, and the largest and the smallest that its rules allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise, product

import numpy as np

from bench.networks.cost import cost_quantities
from bench.space import Architecture, CostFunction, Decision, Space, compose, decisions, draw

_SETTINGS = "settings"
# Draws among which the climb to the largest network, and to the smallest, begins.
_DRAWN = 32


def corners(space: Space) -> Iterator[Architecture]:
    """Networks between whose tensors those of all others of the space lie, whatever its rules; the largest first.

    Every number is at its largest, and in one scope (the settings, or a stage) every combination of what is no number;
    then the same with one number of that scope at its smallest: heads are most where each is smallest. Last all pairs
    of widths of neighbouring stages, which decide together how a downsampling widens.
    """
    seen: set[str] = set()
    for at in (*_ends(space), *_pairs(space)):
        found = compose(space, lambda decision: _index(decision, at))  # noqa: B023
        if found.id not in seen:
            seen.add(found.id)
            yield found


def largest(space: Space, costs: CostFunction = cost_quantities) -> Architecture:
    """A valid network of which no single choice can be raised, climbed to from the one with most multiply-adds.

    Raises:
        NoneFound: no draw obeys the rules.
    """
    return _climbed(space, costs, up=True)


def smallest(space: Space, costs: CostFunction = cost_quantities) -> Architecture:
    """A valid network of which no single choice can be lowered; otherwise as `largest`."""
    return _climbed(space, costs, up=False)


def depths(architecture: Architecture) -> tuple[int, ...]:
    """Blocks of each stage."""
    return tuple(int(stage["depth"]) for stage in architecture.stages)


def shallow(architecture: Architecture) -> Architecture:
    """The same with one block a stage and one activation: the blocks of a stage are alike, activations hold nothing."""
    settings = {name: value for name, value in architecture.settings.items() if name != "activation"}
    stages = [{**stage, "depth": 1} for stage in architecture.stages]
    return Architecture.from_dict({"family": architecture.family, "settings": settings, "stages": stages})


def _ends(space: Space) -> Iterator[dict[str, int]]:
    for scope in (_SETTINGS, *(f"stage{i + 1}" for i in range(space.vocabulary.num_stages))):
        for words in _combinations(space, scope):
            yield words
            for decision in _asked(space, words):
                if _scope(decision) == scope and _is_number(decision):
                    yield {**words, decision.name: _by_size(decision)[0]}


def _pairs(space: Space) -> Iterator[dict[str, int]]:
    widths = [decision for decision in _asked(space, {}) if decision.name.partition("[")[0].endswith(".width")]
    for first, second in pairwise(widths):
        for i, j in product(_by_size(first), _by_size(second)):
            yield {first.name: i, second.name: j}


def _combinations(space: Space, scope: str) -> Iterator[dict[str, int]]:
    """Every combination of the choices of a scope that are no numbers; what is chosen may bring further ones."""
    waiting: list[dict[str, int]] = [{}]
    while waiting:
        words = waiting.pop()
        left = [
            decision
            for decision in _asked(space, words)
            if _scope(decision) == scope and not _is_number(decision) and decision.name not in words
        ]
        if left:
            waiting += [{**words, left[0].name: i} for i in reversed(range(len(left[0].choices)))]
        else:
            yield words


def _asked(space: Space, at: Mapping[str, int]) -> list[Decision]:
    """The decisions on the way to the network that is largest but for what `at` says."""
    found: list[Decision] = []

    def choose(decision: Decision) -> int:
        found.append(decision)
        return _index(decision, at)

    compose(space, choose)
    return found


def _index(decision: Decision, at: Mapping[str, int]) -> int:
    return at.get(decision.name, _by_size(decision)[-1] if _is_number(decision) else 0)


def _by_size(decision: Decision) -> list[int]:
    """Indices of the choices, that of the smallest number first."""
    return sorted(range(len(decision.choices)), key=lambda i: float(decision.choices[i]))


def _is_number(decision: Decision) -> bool:
    return not any(isinstance(value, bool | str) for value in decision.choices)


def _scope(decision: Decision) -> str:
    scope, separator, _ = decision.name.partition(".")
    return scope if separator and scope.startswith("stage") else _SETTINGS


def _climbed(space: Space, costs: CostFunction, *, up: bool) -> Architecture:
    random = np.random.default_rng(0)
    low = compose(space, lambda decision: _by_size(decision)[0] if _is_number(decision) else 0)
    ends = [found for found in (low, *corners(space)) if not space.broken_rules(found, costs)]
    drawn = [draw(space, random, costs) for _ in range(_DRAWN)]
    best = (max if up else min)([*ends, *drawn], key=lambda found: (cost_quantities(found)["macs_g"], found.id))
    while (further := _step(space, best, costs, up=up)) is not None:
        best = further
    return best


def _step(space: Space, architecture: Architecture, costs: CostFunction, *, up: bool) -> Architecture | None:
    """The network with one number raised (or lowered) by one choice; None where no such network is valid."""
    chosen = decisions(space, architecture)
    # Of widths that may not decrease, the last has to be raised first and the first has to be lowered first.
    for name in sorted(chosen, reverse=up):
        found = compose(space, lambda d: _moved(d, chosen, up=up) if d.name == name else chosen.get(d.name, 0))  # noqa: B023
        if found != architecture and not space.broken_rules(found, costs):
            return found
    return None


def _moved(decision: Decision, chosen: Mapping[str, int], *, up: bool) -> int:
    """The index of the next number, or the same where there is none."""
    index = chosen[decision.name]
    if not _is_number(decision):
        return index
    order = _by_size(decision)
    place = order.index(index) + (1 if up else -1)
    return order[min(max(place, 0), len(order) - 1)]
