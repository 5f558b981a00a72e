"""A page as it follows a study, without a browser."""

from __future__ import annotations

import gzip
import json
from typing import Any

from bench.dashboard.question import parse_question
from bench.dashboard.source import Source


class Page:
    """A page as it follows a study: rows by number, all else as it was told last, sizes as a browser gets them."""

    def __init__(self, source: Source, study_id: int) -> None:
        self._source, self._study_id = source, study_id
        self.held: dict[str, Any] = {}
        self.rows: dict[int, dict[str, Any]] = {}
        self.sizes: list[int] = []

    def poll(self) -> bool:
        """Whether there was something."""
        query = {"after": self.held["cursor"]} if self.held else {}
        answer = self._source.points(self._study_id, parse_question(query))
        if answer is None:
            return False
        self.sizes.append(len(gzip.compress(json.dumps(answer, separators=(",", ":")).encode(), 4)))
        if answer["is_whole"]:
            self.held, self.rows = {}, {}
        known = [(choice["name"], choice["values"]) for choice in self.held.get("choices", [])]
        self.held |= answer
        told = {choice["name"]: choice["values"] for choice in self.held["choices"]}
        for row in self.rows.values():  # indices that were held are of the values that were held
            for name, values in known:
                place = row["choices"].get(name)
                row["choices"][name] = None if place is None else told[name].index(values[place])
        self._merge(answer["rows"])
        return True

    def _merge(self, rows: dict[str, Any]) -> None:
        for place, number in enumerate(rows["number"]):
            self.rows[number] = {
                name: {key: column[place] for key, column in value.items()} if isinstance(value, dict) else value[place]
                for name, value in rows.items()
            }

    def spelled(self) -> dict[int, dict[str, Any]]:
        """The rows with words in place of numbers of words."""
        words, choices = self.held["words"], {each["name"]: each["values"] for each in self.held["choices"]}
        return {
            number: {
                **row,
                "status": words["status"][row["status"]],
                "source": words["source"][row["source"]],
                "verdict": {
                    name: None if code is None else words["verdict"][code] for name, code in row["verdict"].items()
                },
                "choices": {
                    name: None if (place := row["choices"].get(name)) is None else values[place]
                    for name, values in choices.items()
                },
            }
            for number, row in self.rows.items()
        }
