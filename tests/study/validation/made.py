"""Rows of validations as trainings leave them, with accuracies that follow a script."""

from __future__ import annotations

import random
from typing import Any

from bench.study.config import DataConfig, ProxyConfig
from bench.study.validation import Validation

# Seconds in place of hours.
QUICK = ProxyConfig(images=64, rungs=2, batch_size=16)
PICTURES = DataConfig(classes=2, per_class=24, val_per_class=8)
OTHERS = DataConfig(source="fractals:classes=3", per_class=24, val_per_class=8)


def quick(**settings: Any) -> Validation:
    base: dict[str, Any] = {"space": "smoke", "n": 4, "longer": 2.0, "data": PICTURES, "proxy": QUICK}
    return Validation(**{**base, **settings})


def network_row(number: int, *, macs: float) -> dict[str, Any]:
    features = {
        "naswot": macs + (number % 3),
        "synflow": 2 * macs,
        "zico": -macs,
        "gradient_norm": float(number % 5),
        "jacobian_covariance": float(number % 2),
        "params_m": macs + (number % 4),
        "macs_g": macs,
    }
    return {
        "kind": "network",
        "id": f"{number:016x}",
        "architecture": {},
        "features": features,
        "seconds": 1.0,
        "params_m": features["params_m"],
        "macs_g": macs,
    }


def training_row(
    number: int, accuracies: dict[int, float], *, data: int = 0, seed: int = 0, is_long: bool = False
) -> dict[str, Any]:
    """Of network `number`, by pictures seen."""
    scores = [
        {"images": images, "accuracy": accuracy, "loss": 1.0, "train_seconds": images / 100, "score_seconds": 0.5}
        for images, accuracy in accuracies.items()
    ]
    return {
        "kind": "training",
        "id": f"{number:016x}",
        "data": data,
        "is_long": is_long,
        "seed": seed,
        "scores": scores,
        "fidelity": {"data": "made", "resolution": 64, "training": {}},
        "reason": None,
        "seconds": 3.0,
    }


def made_rows(n: int, *, noise: float, seeds: int = 2, data: int = 1) -> list[dict[str, Any]]:
    """Networks whose long accuracy is their size; the earlier a score, the more noise is in it."""
    pick = random.Random(0)
    rows = [network_row(number, macs=float(number + 1)) for number in range(n)]
    for seed in range(seeds):
        for place in range(data):
            for number in range(n):
                true = (number + 1) / n

                def told(share: float, true: float = true) -> float:
                    return true + noise * share * pick.gauss(0.0, 1.0)

                rows.append(
                    training_row(number, {16: told(4.0), 64: told(1.0)}, seed=seed, data=place),
                )
                rows.append(training_row(number, {128: told(0.2)}, seed=seed, data=place, is_long=True))
    return rows
