"""What others measured of the pairs that the paper's claims are about: one study, one device, both networks."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterator

from bench.content import folder
from bench.reproduce.findings import Finding
from bench.reproduce.published import Figure, figures
from bench.reproduce.ratios import circumstances, shown, sources

FILE = "latency_independent.csv"


def independent_findings(model: str, opponent: str) -> Iterator[Finding]:
    """One finding with the speedups by device; none where nobody else measured the two side by side.

    Whole networks, each at a resolution of that study's choice, which it seldom states.
    """
    pairs = [
        (ours, theirs)
        for ours in independent_latencies(model)
        for theirs in independent_latencies(opponent)
        if _study(ours) == _study(theirs)
    ]
    if not pairs:
        return
    both = [figure for pair in pairs for figure in pair]
    yield Finding(
        quantity=f"{model} against {opponent} as others measured it",
        published="; ".join(_told(ours, theirs) for ours, theirs in pairs),
        note=f"speedup of {model} over {opponent} on each device, and the milliseconds of the two",
        source=sources(both),
        values={str(ours.device): theirs.value / ours.value for ours, theirs in pairs if ours.value and theirs.value},
    )


def independent_latencies(name: str) -> tuple[Figure, ...]:
    """Latencies of a network in studies of others, in the order of the file."""
    return tuple(figure for figure in figures(name) if figure.quantity == "latency_ms" and is_independent(figure))


def is_independent(figure: Figure) -> bool:
    """Whether its source is one of the studies of others."""
    return figure.source in _studies()


@functools.cache
def _studies() -> frozenset[str]:
    with (folder("results") / "reference" / FILE).open(newline="", encoding="utf-8") as file:
        return frozenset(row["source"] for row in csv.DictReader(file))


def _study(figure: Figure) -> tuple[str | int | None, ...]:
    return figure.source, figure.device, figure.runtime, figure.batch, figure.statistic


def _told(ours: Figure, theirs: Figure) -> str:
    ratio = f"{theirs.value / ours.value:.2f}" if ours.value and theirs.value else "no ratio"
    return f"{circumstances(ours)}: {ratio} ({shown(ours)} and {shown(theirs)})"
