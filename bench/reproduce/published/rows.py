"""Rows of the shipped tables: comma-separated text, every cell checked, every error with file and line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.content import folder
from bench.errors import ContentError, nearest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


class Row:
    """One row of a file: gives its cells as what they have to be, or says what is wrong and where."""

    def __init__(self, cells: dict[str, str], place: str) -> None:
        self._cells = cells
        self._place = place

    def text(self, column: str) -> str:
        """A cell that has to say something."""
        if not self._cells[column]:
            raise self.wrong(column, "something has to be there")
        return self._cells[column]

    def maybe(self, column: str) -> str | None:
        """A cell that may say something."""
        return self._cells[column] or None

    def empty(self, column: str) -> None:
        """A cell that means nothing in this row."""
        self.one_of(column, ("",))

    def one_of(self, column: str, allowed: Collection[str]) -> str:
        """A cell with one of some words; the empty word means that nothing else is allowed."""
        if self._cells[column] not in allowed:
            words = ", ".join(allowed) or "an empty cell"
            raise self.wrong(column, f"allowed: {words}{nearest(self._cells[column], allowed)}")
        return self._cells[column]

    def number(self, column: str) -> float:
        """A number from 0 to a million."""
        try:
            value = float(self._cells[column])
        except ValueError as error:
            raise self.wrong(column, "a number such as 3.6 is allowed") from error
        if not 0.0 <= value < 1e6:  # also refuses what float() takes for a number: nan and inf
            raise self.wrong(column, "a number from 0 to a million is allowed")
        return value

    def maybe_share(self, column: str) -> float | None:
        """A number above 0 to 1, or nothing."""
        if not self._cells[column]:
            return None
        value = self.number(column)
        if not 0.0 < value <= 1.0:
            raise self.wrong(column, "a number above 0 to 1 is allowed")
        return value

    def count(self, column: str) -> int:
        """A whole number from 1."""
        if not self._cells[column].isascii() or not self._cells[column].isdigit() or int(self._cells[column]) < 1:
            raise self.wrong(column, "a whole number from 1 is allowed")
        return int(self._cells[column])

    def maybe_count(self, column: str) -> int | None:
        """A whole number from 1, or nothing."""
        return self.count(column) if self._cells[column] else None

    def decimals(self, column: str) -> int:
        """Digits behind the point, as they are written."""
        return len(self._cells[column].partition(".")[2])

    def wrong(self, column: str, allowed: str) -> ContentError:
        """The error of a cell."""
        return ContentError(f"{self._place} has {column} {self._cells[column]!r}; {allowed}; correct it")


def read_rows(path: Path, parse: Callable[[Row], T], columns: tuple[str, ...]) -> tuple[T, ...]:
    """All rows of a file.

    Raises:
        ContentError: it is missing or no table, has other columns, or a row is malformed.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file, strict=True)
            header = tuple(next(reader, ()))
            if header != columns:
                raise ContentError(
                    f"{path}, line 1 has the columns {', '.join(header) or 'none'}; allowed: {', '.join(columns)}; "
                    "correct it"
                )
            return tuple(parse(_row(path, reader.line_num, columns, cells)) for cells in reader if cells)
    except ContentError:  # is an OSError too
        raise
    except OSError as error:
        raise ContentError(
            f"cannot read {path} ({error.strerror}); the published figures are shipped there; reinstall bench"
        ) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ContentError(f"{path} is no table ({error}); comma-separated text is allowed; correct it") from error


def columns_of(kind: type[DataclassInstance], *without: str) -> tuple[str, ...]:
    """The names of a dataclass's fields, in order."""
    return tuple(field.name for field in fields(kind) if field.name not in without)


def reference_folder(place: Path | None) -> Path:
    """`place`, or the folder that is shipped."""
    return folder("results") / "reference" if place is None else place


def _row(path: Path, line: int, columns: tuple[str, ...], cells: list[str]) -> Row:
    if len(cells) != len(columns):
        raise ContentError(
            f"{path}, line {line} has {len(cells)} cells; {len(columns)} are allowed; quote a cell that has a comma"
        )
    return Row({name: cell.strip() for name, cell in zip(columns, cells, strict=True)}, f"{path}, line {line}")
