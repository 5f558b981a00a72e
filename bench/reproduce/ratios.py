"""Ratios of two published latencies: of equal device, runtime, batch and statistic, each network at its resolution.

Where no two published latencies are alike, the nearest unlike pair is told with what is mixed in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from bench.reproduce.names import is_at
from bench.reproduce.published import Figure, figures

_ALIKE = ("device", "runtime", "batch", "statistic")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRatio:
    """A published latency over another's.

    Attributes:
        theirs: of the network whose latency is told.
        ours: of the network that it is told in.
        mixed: of `_ALIKE` what the two differ in; empty of a like pair.
    """

    theirs: Figure
    ours: Figure
    mixed: tuple[str, ...]

    @property
    def value(self) -> float:
        assert self.theirs.value is not None
        assert self.ours.value is not None
        return self.theirs.value / self.ours.value

    @property
    def printed(self) -> tuple[float, float]:
        """The least and the largest ratio of what the two printed numbers stand for."""
        (low, high), (our_low, our_high) = printed(self.theirs), printed(self.ours)
        return low / our_high, high / our_low

    @property
    def words(self) -> str:
        """The ratio with both latencies and their circumstances."""
        told = f"{self.value:.2f} = {shown(self.theirs)} / {shown(self.ours)} ({circumstances(self.ours)}"
        unlike = [f"{name} {getattr(self.theirs, name)} against {getattr(self.ours, name)}" for name in self.mixed]
        return f"{told}; mixed: {', '.join(unlike)})" if unlike else f"{told})"


def published_ratios(
    other: str, other_resolution: int | None, name: str, resolution: int | None
) -> tuple[PublishedRatio, ...]:
    """Every like pair of `other` over `name`; the nearest mixed one where there is none; empty where nothing fits."""
    pairs = [
        PublishedRatio(theirs=theirs, ours=ours, mixed=_differences(theirs, ours))
        for theirs, ours in product(latencies(other, other_resolution), latencies(name, resolution))
        if theirs.value is not None and ours.value is not None
    ]
    like = tuple(pair for pair in pairs if not pair.mixed)
    near = [pair for pair in pairs if _is_near(pair.theirs.device, pair.ours.device)]
    return like or tuple(sorted(near, key=lambda pair: len(pair.mixed))[:1])


def latencies(name: str, resolution: int | None) -> tuple[Figure, ...]:
    """Published latencies of a network at a resolution, without those that only repeat another with fewer digits."""
    found = [figure for figure in figures(name) if figure.quantity == "latency_ms" and is_at(figure, resolution)]
    return tuple(
        figure
        for place, figure in enumerate(found)
        if not any(_repeats(figure, other, is_later=place > index) for index, other in enumerate(found))
    )


def shown(figure: Figure) -> str:
    """The number as its source prints it."""
    return "did not run" if figure.value is None else f"{figure.value:.{figure.decimals}f} ms"


def printed_latency(figure: Figure) -> str:
    """The number with its circumstances."""
    return f"{shown(figure)} ({circumstances(figure)})"


def circumstances(figure: Figure) -> str:
    """Device, runtime, batch above one and statistic of a latency, as far as its source tells them."""
    batch = f"batch {figure.batch}" if figure.batch and figure.batch > 1 else ""
    parts = (figure.device, figure.runtime, batch, figure.statistic)
    return ", ".join(part for part in parts if part and part != "unstated") or "circumstances not stated"


def sources(found: Sequence[Figure]) -> str:
    """Where figures can be read, each source once."""
    return "; ".join(dict.fromkeys(figure.source for figure in found))


def printed(figure: Figure) -> tuple[float, float]:
    """What a printed number stands for: half a unit of its last digit on either side."""
    assert figure.value is not None
    half = 0.5 * 10.0**-figure.decimals
    return figure.value - half, figure.value + half


def _differences(one: Figure, other: Figure) -> tuple[str, ...]:
    return tuple(name for name in _ALIKE if getattr(one, name) != getattr(other, name))


def _repeats(figure: Figure, other: Figure, *, is_later: bool) -> bool:
    """Whether a figure is another one with fewer digits, or of as many the later of two equal ones."""
    if figure is other or _differences(figure, other) or other.value is None or figure.value is None:
        return False
    if figure.decimals == other.decimals:
        return is_later and figure.value == other.value
    return figure.decimals < other.decimals and figure.is_rounding_of(other.value)


def _is_near(one: str | None, other: str | None) -> bool:
    """The same device, or one of its line: an iPhone 12 and an iPhone 12 Pro Max, never a phone and a graphics card."""
    return one is not None and other is not None and (one.startswith(other) or other.startswith(one))
