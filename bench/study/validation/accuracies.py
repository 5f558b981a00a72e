"""Accuracies of a validation's trainings, by data set, pictures seen and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.study.validation.settings import Validation

Rows = Sequence[Mapping[str, Any]]
# Network -> accuracy.
Scores = Mapping[str, float]


class Accuracies:
    """Of the trainings that have not failed."""

    def __init__(self, validation: Validation, rows: Rows) -> None:
        self.validation = validation
        self._found: dict[tuple[int, bool, int, int], dict[str, float]] = {}
        self._seconds: dict[tuple[int, bool, int], list[float]] = {}
        for row in rows:
            if row["kind"] != "training" or row["reason"] is not None:
                continue
            for score in row["scores"]:
                key = (row["data"], row["is_long"], score["images"])
                self._found.setdefault((*key, row["seed"]), {})[row["id"]] = score["accuracy"]
                self._seconds.setdefault(key, []).append(score["train_seconds"])

    def of(self, data: int, images: int) -> list[Scores]:
        """Of each seed that has any."""
        is_long = images == self.validation.long_images
        found = [self._found.get((data, is_long, images, seed), {}) for seed in range(self.validation.seeds)]
        return [scores for scores in found if scores]

    def seconds(self, data: int, images: int) -> float:
        """Of a training up to there, the median over networks."""
        return float(np.median(self._seconds[(data, images == self.validation.long_images, images)]))


def common(scores: Sequence[Scores]) -> list[str]:
    """Networks that stand in all of them."""
    if not scores:
        return []
    first, *others = scores
    return [name for name in first if all(name in other for other in others)]


def rows_of(scores: Sequence[Scores], networks: Sequence[str]) -> list[list[float]]:
    return [[found[name] for name in networks] for found in scores]


def mean_of(scores: Sequence[Scores], networks: Sequence[str]) -> list[float]:
    return [float(np.mean([found[name] for found in scores])) for name in networks]


def complete(scores: Sequence[Scores]) -> list[Scores]:
    """The first, and those further seeds that have the same networks: a seed under way has too few."""
    return [found for found in scores if len(found) >= 0.9 * len(scores[0])]
