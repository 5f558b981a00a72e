"""A runner that is known exactly: each operator takes what the slower of its arithmetic and its memory takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from bench.networks import cost_quantities
from bench.networks.families import operators
from bench.networks.operators import Operator
from bench.predict.features import Floats
from bench.space import Architecture, draw, load_space

# Multiply-adds a second by class; what is not here works on numbers, one a nanosecond.
_PEAKS = {
    "dense": 60e9,
    "depthwise": 20e9,
    "expanding": 2e9,
    "linear": 50e9,
    "attention": 30e9,
}
_BYTES_A_SECOND = 10e9
_LAUNCH_S = 3e-6


@cache
def drawn(count: int, seed: int = 0) -> tuple[Architecture, ...]:
    """Uniform draws from the FastViT space."""
    space, random = load_space("fastvit"), np.random.default_rng(seed)
    return tuple(draw(space, random, cost_quantities) for _ in range(count))


def latencies_ms(architectures: Sequence[Architecture], *, noise: float = 0.0, seed: int = 0) -> Floats:
    """The runner's milliseconds, with normal noise of this relative deviation."""
    exact = np.array(
        [sum(_seconds(found) for found in operators(a, fold_attention_norm=False)) * 1e3 for a in architectures]
    )
    return exact * np.exp(np.random.default_rng(seed).normal(0, noise, len(exact)))


def _seconds(operator: Operator) -> float:
    amount = (operator.macs + operator.padding) / _PEAKS[operator.kind] if operator.macs else operator.written / 1e9
    moved = 4 * (operator.read + operator.written + operator.weights) / _BYTES_A_SECOND
    return operator.count * (max(amount, moved) + _LAUNCH_S)
