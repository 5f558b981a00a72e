"""What papers claim of a network against another, as pairs with their arithmetic."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from bench.errors import ContentError
from bench.reproduce.published.figures import QUANTITIES
from bench.reproduce.published.rows import Row, columns_of, read_rows, reference_folder

CLAIMS_FILE = "claims.csv"
COMPARISONS = ("speedup", "saving", "points")


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


@functools.cache
def claims(place: Path | None = None) -> tuple[Claim, ...]:
    """The claims, in the order of their file; read once in a process.

    Raises:
        ContentError: the file is missing, or a row is malformed; the message names file and line.
    """
    path, names = reference_folder(place) / CLAIMS_FILE, {"name": "id", "text": "claim"}
    found = read_rows(path, _claim, tuple(names.get(column, column) for column in columns_of(Claim)))
    ids = [claim.name for claim in found]
    twice = next((name for name in ids if ids.count(name) > 1), None)
    if twice is not None:
        raise ContentError(f"{path} has two claims with the id {twice!r}; one is allowed; rename the other")
    return found


def _claim(row: Row) -> Claim:
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
