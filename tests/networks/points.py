"""Published points and random architectures that the tests of bench/networks share."""

from __future__ import annotations

import random
from typing import Any

from bench.space import Architecture, shipped_spaces

# Short name -> published FastViT, as it is shipped: what holds of these holds of what users build.
_POINTS = {
    name.removeprefix("fastvit_"): network
    for space in shipped_spaces()
    if space.name == "fastvit"
    for name, network in space.reference_points.items()
}
POINTS = tuple(_POINTS)


def point(name: str) -> Architecture:
    """A published FastViT by its short name."""
    return _POINTS[name]


def tiny(**settings: Any) -> Architecture:
    """The smallest network that has every kind of module."""
    stages: list[dict[str, Any]] = [{"depth": 1, "width": width, "mlp_ratio": 2} for width in (8, 16, 24, 32)]
    stages[3] |= {"mixer": "attention", "position": "conditional", "head_dim": 16}
    return Architecture.from_dict(
        {"family": "fastvit", "settings": {"input_resolution": 64, **settings}, "stages": stages}
    )


def drawn(seed: int) -> Architecture:
    """A small random architecture that uses every choice of the family."""
    pick = random.Random(seed)
    settings = {
        "input_resolution": pick.choice([32, 64, 96]),
        "stem_width": pick.choice([8, 12, 16]),
        "activation": pick.choice(["gelu", "relu", "silu", "hardswish"]),
        "train_branches": pick.randint(1, 3),
        "head_squeeze_excite": pick.choice([True, False]),
        "head_expansion": pick.randint(1, 3),
    }
    return Architecture.from_dict(
        {"family": "fastvit", "settings": settings, "stages": [_drawn_stage(pick) for _ in range(4)]}
    )


def _drawn_stage(pick: random.Random) -> dict[str, Any]:
    return {
        "depth": pick.randint(1, 2),
        "width": pick.choice([8, 16, 24, 40, 64]),
        "mlp_ratio": pick.choice([1.0, 2.5, 3.0]),
        "mixer": pick.choice(["repmixer", "attention", "pooling"]),
        "mixer_kernel": pick.choice([3, 5, 7]),
        "ffn_kernel": pick.choice([3, 5, 7, 9]),
        "downsample_kernel": pick.choice([3, 5, 7]),
        "position": pick.choice(["none", "conditional"]),
        "position_kernel": pick.choice([3, 7]),
        "head_dim": 8,
    }
