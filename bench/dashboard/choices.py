"""The words of architectures as columns of small numbers: which value of a choice each trial has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.report.anatomy import words_of

_Key = tuple[str, Any]


class ChoiceBook:
    """Every value seen of every word; values keep their number for good, and are told in ascending order.

    Attributes:
        version: rises with each new word or value.
    """

    def __init__(self) -> None:
        self.version = 0
        self._values: dict[str, dict[_Key, int]] = {}
        self._trials: dict[int, tuple[int, ...]] = {}

    def lacking(self, trial_ids: Iterable[int]) -> list[int]:
        """Those whose architecture was not taken in yet; it never changes."""
        return [trial_id for trial_id in trial_ids if trial_id not in self._trials]

    def add(self, trial_id: int, architecture: Mapping[str, Any]) -> None:
        """Takes in the architecture of a trial."""
        words = words_of(architecture)
        for name in words:
            if name not in self._values:
                self._values[name] = {}
                self.version += 1
        self._trials[trial_id] = tuple(self._number(name, words.get(name)) for name in self._values)

    def words(self, trial_id: int) -> dict[str, int]:
        """The number of the value of each word that applies to a trial."""
        numbers = self._trials[trial_id]
        return {name: number for name, number in zip(self._values, numbers, strict=False) if number >= 0}

    def names(self) -> list[str]:
        """Of all words: settings first, then stage by stage, each in order of appearance."""
        return sorted(self._values, key=_stage)

    def listed(self) -> list[dict[str, Any]]:
        """Each word with its values, ascending: numbers, then text."""
        return [{"name": name, "values": [key[1] for key in self._ordered(name)]} for name in self.names()]

    def columns(self, trial_ids: Sequence[int]) -> dict[str, list[int | None]]:
        """For each word the place of each trial's value among its values; None where the word does not apply."""
        found = {}
        rows = [self._trials[trial_id] for trial_id in trial_ids]
        places = {name: place for place, name in enumerate(self._values)}
        for name in self.names():
            numbers = self._values[name]
            # Behind the last: -1 of a value that is not there.
            ranks: list[int | None] = [None] * (len(numbers) + 1)
            for rank, key in enumerate(self._ordered(name)):
                ranks[numbers[key]] = rank
            place = places[name]
            found[name] = [ranks[row[place]] if place < len(row) else None for row in rows]
        return found

    def _number(self, name: str, value: Any) -> int:
        if value is None:
            return -1
        values = self._values[name]
        # True and 1 are one key of a dict, and two values of a word.
        key = (type(value).__name__, value)
        if key not in values:
            values[key] = len(values)
            self.version += 1
        return values[key]

    def _ordered(self, name: str) -> list[_Key]:
        return sorted(self._values[name], key=lambda key: (isinstance(key[1], str), key[1]))


def _stage(name: str) -> int:
    stage, dot, _ = name.partition(".")
    return int(stage.removeprefix("stage")) if dot else 0
