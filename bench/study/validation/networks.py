"""Which networks are trained: draws of the space that lie all over its sizes."""

from __future__ import annotations

import numpy as np

from bench.errors import SpaceError
from bench.networks.cost import cost_quantities
from bench.space import Architecture, CostFunction, Space, count, draw, every

# Draws for each network that is wanted.
_POOL = 40


def spread_networks(
    space: Space, n: int, *, seed: int, costs: CostFunction = cost_quantities
) -> tuple[Architecture, ...]:
    """`n` different architectures, one at random from each of `n` equal parts of the space by multiply-adds.

    The parts are those of many uniform draws, so that the networks are a uniform sample of the space without the luck
    in sizes that a small one has. A sample that favoured the ends of a space would make every score look better.

    Raises:
        SpaceError: fewer than `n` architectures obey the rules.
    """
    random = np.random.default_rng(seed)
    if count(space) <= _POOL * n:
        pool = list(every(space, costs))
    else:
        pool = [draw(space, random, costs) for _ in range(_POOL * n)]
    distinct = list({architecture.id: architecture for architecture in pool}.values())
    if len(distinct) < n:
        raise SpaceError(
            f"{len(distinct)} different architectures of space {space.name!r} obey the rules; {n} are wanted; "
            "lower --n or loosen a rule"
        )
    ordered = sorted(distinct, key=lambda found: (cost_quantities(found)["macs_g"], found.id))
    parts = np.array_split(np.arange(len(ordered)), n)
    return tuple(ordered[int(random.choice(part))] for part in parts)
