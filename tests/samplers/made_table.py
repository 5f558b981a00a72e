"""A made table of networks: every combination of six choices with an accuracy and a cost, as a search would find them.

Four blocks, each skipped, narrow, wide or wide with a large kernel, then a head and a resolution. Cost multiplies and
adds as operations do; accuracy saturates in the effective size of a network, which depends on where the operations are,
loses where a block after a skip is large, breaks down where nearly everything is skipped, and has a part that follows
from nothing, as seeds give it. Made by this script alone, from fixed numbers.
"""

from __future__ import annotations

import numpy as np
import optuna
from optuna.samplers import BaseSampler

from bench import pareto

CHOICES = {**{f"block{i}": ("skip", "narrow", "wide", "large") for i in range(4)}, "head": (0, 1, 2), "side": (0, 1, 2)}
MAXIMISE = (True, False)

_WORK = np.array([0.05, 1.0, 2.4, 4.1])
_USE = np.array([0.0, 1.0, 1.7, 2.1])
_PLACE_WORK = np.array([1.0, 1.6, 1.3, 0.8])
_PLACE_USE = np.array([0.7, 1.1, 1.6, 0.8])


class MadeTable:
    """Accuracies and costs of all combinations.

    Attributes:
        values: shape (n, 2).
        row_of: row by choices, in the order of `CHOICES`.
    """

    def __init__(self) -> None:
        sizes = [len(options) for options in CHOICES.values()]
        places = np.indices(sizes).reshape(len(sizes), -1).T
        blocks, head, side = places[:, :4], places[:, 4], places[:, 5]
        cost = (_WORK[blocks] @ _PLACE_WORK + 0.8 * head + 0.5) * (1.0 + 0.45 * side) ** 2
        use = _USE[blocks] @ _PLACE_USE + 0.5 * head
        waste = ((blocks[:, :-1] == 0) & (blocks[:, 1:] == 3)).sum(axis=1)
        skipped = (blocks == 0).sum(axis=1)
        accuracy = 55.0 + 22.0 * (1.0 - np.exp(-use / 4.0)) + 2.5 * np.sqrt(side) - 1.5 * waste
        accuracy = np.where(skipped >= 3, 10.0 + 3.0 * side, accuracy)
        accuracy = accuracy + 0.15 * np.random.default_rng(20261123).standard_normal(len(places))
        self.values = np.column_stack([accuracy, cost])
        options = list(CHOICES.values())
        self.row_of = {
            tuple(values[place] for values, place in zip(options, row, strict=True)): i
            for i, row in enumerate(places.tolist())
        }
        best = self.values[np.argmax(accuracy)]
        self.reference = (float(np.median(accuracy)), 1.1 * float(best[1]))
        self.wide_reference = (float(accuracy.min()), float(cost.max()))

    def share(self, rows: list[int], *, is_wide: bool = False) -> float:
        """Hypervolume of some rows, of that of the whole table."""
        reference = self.wide_reference if is_wide else self.reference
        found, whole = (pareto.hypervolume(v, reference, maximise=MAXIMISE) for v in (self.values[rows], self.values))
        return found / whole

    def search(self, sampler: BaseSampler, number: int, *, in_flight: int = 1, noise: float = 0.0) -> list[int]:
        """The rows that a sampler proposes, one after the other or some at a time.

        Args:
            noise: relative on costs, and a third of it in ten points on accuracies.
        """
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
        random = np.random.default_rng(0)
        rows: list[int] = []
        running: list[tuple[optuna.Trial, int]] = []
        for _ in range(number):
            trial = study.ask()
            row = self.row_of[tuple(trial.suggest_categorical(name, options) for name, options in CHOICES.items())]
            rows.append(row)
            running.append((trial, row))
            if len(running) == in_flight:
                ended, found = running.pop(0)
                accuracy, cost = self.values[found]
                accuracy += noise * 10 / 3 * random.standard_normal()
                study.tell(ended, (accuracy, cost * np.exp(noise * random.standard_normal())))
        return rows
