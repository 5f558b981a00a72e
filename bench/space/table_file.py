"""Tables of trained networks: CSV files, plain or gzipped, one network a row."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.errors import SpaceError, nearest
from bench.space.words import Scalar

_GZIP = b"\x1f\x8b"
_EMPTY = ("", "nan", "none", "null", "na")
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """The cells of a table as texts.

    Attributes:
        source: the file, for messages.
        sha256: of the file's content, unpacked.
        cells: by column, one text a row.
        lines: the line of the file in which each row begins.
    """

    source: str
    sha256: str
    cells: Mapping[str, tuple[str, ...]] = field(repr=False)
    lines: tuple[int, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str, *, what: str) -> tuple[str, ...]:
        """The texts of a column.

        Args:
            what: who asks for it, for the message.

        Raises:
            SpaceError: there is none of that name; the message names the nearest.
        """
        if name not in self.cells:
            hint = nearest(name, self.cells) or "; name one of them"
            raise SpaceError(f"{what} {name!r} is no column of {self.source}; known: {', '.join(self.cells)}{hint}")
        return self.cells[name]

    def numbers(self, name: str, *, what: str) -> npt.NDArray[np.float64]:
        """The numbers of a column, shape (rows,); NaN where a cell is empty.

        Raises:
            SpaceError: no such column, or a cell that is no finite number; the message names its line.
        """
        return np.array(
            [
                _number(text, f"{self.source}, line {line}: {name}")
                for text, line in zip(self.column(name, what=what), self.lines, strict=True)
            ],
            dtype=np.float64,
        )


def read_table(path: Path) -> Table:
    """The table of a CSV file with a heading; gzipped ones are unpacked, whatever they are called.

    Raises:
        SpaceError: not such a file; the message names the line.
        OSError: it cannot be read.
    """
    content = _unpacked(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SpaceError(f"{path} is not text; allowed: CSV in UTF-8, plain or gzipped; name another file") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    begin = 1
    try:
        for row in reader:
            if row:
                rows.append([cell.strip() for cell in row])
                lines.append(begin)
            begin = reader.line_num + 1
    except csv.Error as error:
        raise SpaceError(f"{path}, line {begin}: not CSV ({error}); allowed: cells with commas; correct it") from None
    if len(rows) < 2:
        raise SpaceError(
            f"{path} has {max(0, len(rows) - 1)} rows; a table has a heading and a row a network; add them"
        )
    heading = _heading(rows[0], f"{path}, line {lines[0]}")
    for row, line in zip(rows[1:], lines[1:], strict=True):
        if len(row) != len(heading):
            raise SpaceError(
                f"{path}, line {line}: {len(row)} cells under a heading of {len(heading)}; as many are allowed; "
                "correct the row"
            )
    columns = zip(*rows[1:], strict=True)
    return Table(
        source=str(path),
        sha256=hashlib.sha256(content).hexdigest(),
        # A column without a name is the row number that data frames write.
        cells={name: tuple(cells) for name, cells in zip(heading, columns, strict=True) if name},
        lines=tuple(lines[1:]),
    )


def choice_places(cells: Sequence[str], choices: Sequence[Scalar]) -> list[int]:
    """Which choice each cell holds, -1 for none: numbers by value, words as they are, true and false in usual words."""
    if all(isinstance(choice, bool) for choice in choices):
        texts = {text: choices.index(True) for text in _TRUE if True in choices}
        texts |= {text: choices.index(False) for text in _FALSE if False in choices}
        return [texts.get(cell.lower(), -1) for cell in cells]
    places = {str(choice): place for place, choice in enumerate(choices)}
    numbers = {float(choice): place for place, choice in enumerate(choices) if isinstance(choice, int | float)}
    known: dict[str, int] = {}
    for cell in set(cells):
        number = _maybe_number(cell) if numbers else None
        known[cell] = places.get(cell, -1) if number is None else numbers.get(number, -1)
    return [known[cell] for cell in cells]


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SpaceError(f"{path} is a damaged gzip file ({error}); allowed: a whole one; get it again") from None


def _heading(names: Sequence[str], place: str) -> Sequence[str]:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise SpaceError(f"{place}: two columns {name!r}; allowed: a heading with different names; rename one")
    return names


def _number(text: str, place: str) -> float:
    if text.lower() in _EMPTY:
        return math.nan
    number = _maybe_number(text)
    if number is None:
        raise SpaceError(f"{place} is {text!r}; allowed: a finite number, or nothing where it failed; correct it")
    return number


def _maybe_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
