"""Published figures and claims, each with its source, from `results/reference/`.

Figures that disagree stay side by side: whoever reads them says which form, statistic and device a comparison is
about. Nothing is averaged or rounded here.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from bench.content import folder
from bench.errors import ContentError, nearest

FIGURE_FILES = ("figures.csv", "latency_independent.csv", "robustness.csv")
CLAIMS_FILE = "claims.csv"

# Quantity -> its unit.
QUANTITIES = {
    "params_m": "1e6",
    "macs_g": "1e9",
    "top1": "percent",
    "latency_ms": "ms",
    "backbone_latency_ms": "ms",
    "imagenet_a_top1": "percent",
    "imagenet_r_top1": "percent",
    "imagenet_sketch_top1": "percent",
    "imagenet_v2_top1": "percent",
    "imagenet_real_top1": "percent",
}
FORMS = ("train", "deploy", "unstated")
STATISTICS = ("mean", "minimum", "median", "unstated")
TRAININGS = ("plain", "distilled", "unstated")
COMPARISONS = ("speedup", "saving", "points")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One published number.

    Attributes:
        model: a reference point, or another network of the papers.
        quantity: one of `QUANTITIES`, which has its unit.
        value: `None` where the source says that the network did not run.
        decimals: that the source prints; 3.6 is said of anything from 3.55 to 3.65.
        form: of counts and latencies, one of `FORMS`; `None` of accuracies.
        statistic: of latencies, one of `STATISTICS`.
        device: of latencies, as the source names it; `runtime` likewise.
        resolution: of the picture in pixels; `None` where the source does not say. `batch` likewise.
        training: of accuracies, one of `TRAININGS`.
        source: where it can be read.
        note: what has to be known about it; may be empty.
    """

    model: str
    quantity: str
    value: float | None
    decimals: int
    unit: str
    form: str | None
    statistic: str | None
    device: str | None
    runtime: str | None
    resolution: int | None
    batch: int | None
    training: str | None
    source: str
    note: str

    def is_rounding_of(self, value: float) -> bool:
        """Whether `value`, written with as many decimals as the source prints, is the published number."""
        # Half a unit in the last place, and a little for values such as 0.285 that binary cannot hold.
        return self.value is not None and abs(value - self.value) <= (0.5 + 1e-9) * 10.0**-self.decimals


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a paper claims of a network against another.

    Attributes:
        name: short, unique.
        text: the claim in a sentence of ours.
        model_resolution: of the picture in pixels; each side has its own.
        comparison: `speedup` (opponent's ms over model's), `saving` (per cent of the opponent's ms), `points` (model's
            accuracy minus opponent's).
        published: the number claimed.
        model_value: published; with `opponent_value` it gives `arithmetic`, which may differ from what is claimed.
        device: `None` where the claim is not about latency; `batch` likewise.
    """

    name: str
    text: str
    model: str
    model_resolution: int
    opponent: str
    opponent_resolution: int
    quantity: str
    comparison: str
    published: float
    model_value: float
    opponent_value: float
    arithmetic: float
    device: str | None
    batch: int | None
    source: str
    note: str


def compare(comparison: str, model: float, opponent: float) -> float:
    """The number that a claim of this kind is about, from the values of both sides."""
    match comparison:
        case "speedup":
            return opponent / model
        case "saving":
            return 100.0 * (opponent - model) / opponent
        case "points":
            return model - opponent
    raise ValueError(f"unknown comparison {comparison!r}; known: {', '.join(COMPARISONS)}")


def figures(model: str, *, place: Path | None = None) -> tuple[Figure, ...]:
    """All published figures of a network, in the order of the files; none for one that nobody published.

    Args:
        place: the folder that has the files; `None` takes the one that is shipped.

    Raises:
        ContentError: a file is missing, or a row is malformed; the message names file and line.
    """
    return tuple(figure for figure in all_figures(place) if figure.model == model)


def models(*, place: Path | None = None) -> tuple[str, ...]:
    """Networks that have published figures, in the order of the files."""
    return tuple(dict.fromkeys(figure.model for figure in all_figures(place)))


@functools.cache
def all_figures(place: Path | None = None) -> tuple[Figure, ...]:
    """The rows of all files of figures; read once in a process.

    Raises:
        ContentError: as `figures`.
    """
    columns = _columns(Figure, "decimals")
    return tuple(figure for name in FIGURE_FILES for figure in _read(_folder(place) / name, _figure, columns))


@functools.cache
def claims(place: Path | None = None) -> tuple[Claim, ...]:
    """The claims, in the order of their file; read once in a process.

    Raises:
        ContentError: as `figures`.
    """
    path, names = _folder(place) / CLAIMS_FILE, {"name": "id", "text": "claim"}
    found = _read(path, _claim, tuple(names.get(column, column) for column in _columns(Claim)))
    ids = [claim.name for claim in found]
    twice = next((name for name in ids if ids.count(name) > 1), None)
    if twice is not None:
        raise ContentError(f"{path} has two claims with the id {twice!r}; one is allowed; rename the other")
    return found


class _Row:
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
        return self._cells[column] or None

    def one_of(self, column: str, allowed: Collection[str]) -> str:
        if self._cells[column] not in allowed:
            raise self.wrong(column, f"allowed: {', '.join(allowed)}{nearest(self._cells[column], allowed)}")
        return self._cells[column]

    def number(self, column: str) -> float:
        try:
            value = float(self._cells[column])
        except ValueError as error:
            raise self.wrong(column, "a number such as 3.6 is allowed") from error
        if not 0.0 <= value < 1e6:  # also refuses what float() takes for a number: nan and inf
            raise self.wrong(column, "a number from 0 to a million is allowed")
        return value

    def count(self, column: str) -> int:
        if not self._cells[column].isascii() or not self._cells[column].isdigit() or int(self._cells[column]) < 1:
            raise self.wrong(column, "a whole number from 1 is allowed")
        return int(self._cells[column])

    def maybe_count(self, column: str) -> int | None:
        return self.count(column) if self._cells[column] else None

    def decimals(self, column: str) -> int:
        return len(self._cells[column].partition(".")[2])

    def wrong(self, column: str, allowed: str) -> ContentError:
        return ContentError(f"{self._place} has {column} {self._cells[column]!r}; {allowed}; correct it")


def _figure(row: _Row) -> Figure:
    quantity = row.one_of("quantity", QUANTITIES)
    is_latency, is_count = quantity.endswith("latency_ms"), quantity in ("params_m", "macs_g")
    return Figure(
        model=row.text("model"),
        quantity=quantity,
        value=row.number("value") if row.maybe("value") or not is_latency else None,
        decimals=row.decimals("value"),
        unit=row.one_of("unit", (QUANTITIES[quantity],)),
        form=row.one_of("form", FORMS if is_latency or is_count else ("",)) or None,
        statistic=row.one_of("statistic", STATISTICS if is_latency else ("",)) or None,
        device=row.text("device") if is_latency else row.one_of("device", ("",)) or None,
        runtime=row.text("runtime") if is_latency else row.one_of("runtime", ("",)) or None,
        resolution=row.maybe_count("resolution"),
        batch=row.maybe_count("batch"),
        training=row.one_of("training", ("",) if is_latency or is_count else TRAININGS) or None,
        source=row.text("source"),
        note=row.maybe("note") or "",
    )


def _claim(row: _Row) -> Claim:
    return Claim(
        name=row.text("id"),
        text=row.text("claim"),
        model=row.text("model"),
        model_resolution=row.count("model_resolution"),
        opponent=row.text("opponent"),
        opponent_resolution=row.count("opponent_resolution"),
        quantity=row.one_of("quantity", QUANTITIES),
        comparison=row.one_of("comparison", COMPARISONS),
        published=row.number("published"),
        model_value=row.number("model_value"),
        opponent_value=row.number("opponent_value"),
        arithmetic=row.number("arithmetic"),
        device=row.maybe("device"),
        batch=row.maybe_count("batch"),
        source=row.text("source"),
        note=row.maybe("note") or "",
    )


def _read(path: Path, parse: Callable[[_Row], T], columns: tuple[str, ...]) -> tuple[T, ...]:
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


def _row(path: Path, line: int, columns: tuple[str, ...], cells: list[str]) -> _Row:
    if len(cells) != len(columns):
        raise ContentError(
            f"{path}, line {line} has {len(cells)} cells; {len(columns)} are allowed; quote a cell that has a comma"
        )
    return _Row({name: cell.strip() for name, cell in zip(columns, cells, strict=True)}, f"{path}, line {line}")


def _columns(kind: type[Figure] | type[Claim], *without: str) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name not in without)


def _folder(place: Path | None) -> Path:
    return folder("results") / "reference" if place is None else place
