"""Small networks of every family, with every kind of part that zero-cost proxies treat on its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from bench.networks import build
from bench.proxies.zero_cost import RESOLUTION, Probe
from bench.space import Architecture


def fastvit(**settings: Any) -> Architecture:
    """RepMixer, pooling and attention behind each other, with a squeeze-excite in the head."""
    stages: list[dict[str, Any]] = [{"depth": 1, "width": width, "mlp_ratio": 2} for width in (8, 16, 24, 32)]
    stages[1] |= {"mixer": "pooling"}
    stages[3] |= {"mixer": "attention", "position": "conditional", "head_dim": 16}
    return Architecture.from_dict(
        {"family": "fastvit", "settings": {"input_resolution": 64, "head_squeeze_excite": True, **settings}}
        | {"stages": stages}
    )


def _of(family: str, stages: list[dict[str, Any]], **settings: Any) -> Architecture:
    return Architecture.from_dict({"family": family, "settings": settings, "stages": stages})


SMALL: dict[str, Architecture] = {
    "fastvit": fastvit(),
    "fastvit_branches": fastvit(train_branches=3),
    "mobileone": _of("mobileone", [{"depth": 1, "width": 16} for _ in range(4)], input_resolution=64, stem_width=16),
    "efficientnet": _of(
        "efficientnet",
        [{"block": "inverted", "depth": 1, "width": 8, "stride": 2, "expansion": 2}]
        + [{"block": "none"} for _ in range(6)],
        input_resolution=64,
    ),
    "convnext": _of("convnext", [{"depth": 1, "width": 8 * 2**place} for place in range(4)], input_resolution=64),
    "cmt": _of(
        "cmt",
        [{"depth": 1, "width": 8, "mlp_ratio": 2, "head_dim": 8, "reduction": 2} for _ in range(4)],
        input_resolution=64,
        stem_width=8,
    ),
}


def network_of(name: str, *, seed: int = 0) -> nn.Module:
    return build(SMALL[name], num_classes=8, seed=seed, resolution=RESOLUTION)


def plain(activation: nn.Module) -> nn.Sequential:
    """Two layers with nothing that is seen otherwise than it stands."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=4, bias=False), activation, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 8)
        )


def probe_of(images: torch.Tensor) -> Probe:
    return Probe(images=images, labels=torch.arange(len(images)) % 8)
