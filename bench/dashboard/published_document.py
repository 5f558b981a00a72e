"""Published figures of networks, as they stand in `results/reference/`: other devices, other trainings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.dashboard.telling import FORMAT
from bench.reproduce.names import is_at, own_resolution
from bench.reproduce.published import Figure, figures, models

_NOTE = (
    "published: the papers' accuracies on ImageNet and latencies on their devices; not comparable with a short "
    "training or another device"
)


def published_document() -> dict[str, Any]:
    """Each network with an accuracy, once a device that a latency of it was published for."""
    points = [point for name in models() for point in _points(name)]
    return {
        "format": FORMAT,
        "note": _NOTE,
        "devices": list(dict.fromkeys(point["device"] for point in points if point["device"] is not None)),
        "points": points,
    }


def _points(name: str) -> list[dict[str, Any]]:
    found = figures(name)
    sides = dict.fromkeys(figure.resolution or own_resolution(name) for figure in found if figure.quantity == "top1")
    return [point for side in sides for point in _at(name, side, [each for each in found if is_at(each, side)])]


def _at(name: str, side: int | None, found: Sequence[Figure]) -> list[dict[str, Any]]:
    # Trained plainly where that was published; of several sources the first, which is the paper's.
    accuracies = [each for each in found if each.quantity == "top1" and each.value is not None]
    accuracy = next((each for each in accuracies if each.training != "distilled"), next(iter(accuracies), None))
    if accuracy is None:
        return []
    common = {
        "name": name,
        "family": name.partition("_")[0],
        "resolution": side,
        "top1": accuracy.value,
        "training": accuracy.training,
        "params_m": _first(found, "params_m"),
        "macs_g": _first(found, "macs_g"),
    }
    timed = [
        each for each in found if each.quantity == "latency_ms" and each.value is not None and each.batch in (1, None)
    ]
    if not timed:
        told = {"latency_ms": None, "device": None, "statistic": None}
        return [{**common, **told, "source": accuracy.source, "note": accuracy.note}]
    return [
        {
            **common,
            "latency_ms": each.value,
            "device": _device(each),
            "statistic": each.statistic,
            "source": each.source,
            "note": each.note,
        }
        for each in timed
    ]


def _device(figure: Figure) -> str:
    runtime = figure.runtime
    return str(figure.device) if runtime in (None, "unstated") else f"{figure.device}, {runtime}"


def _first(found: Sequence[Figure], quantity: str) -> float | None:
    return next((each.value for each in found if each.quantity == quantity and each.value is not None), None)
