"""What a reproduction may use, and how it tells what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bench.measure import Measurement
from bench.measure.session import Progress
from bench.study.conditions import Conditions


def _say_nothing(text: str) -> None:
    del text


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Means of a reproduction.

    Attributes:
        places: where models are timed; one session in each.
        keep: takes each measurement; the commands write it to the store.
        imagenet: ImageNet's validation pictures (ImageFolder, Parquet); None: accuracy is not evaluated.
        weights: of the model, a file in Apple's or timm's naming; None: `download` decides.
        download: whether weights may come from timm's hub.
        state: folder of the states of evaluations, which are taken up again from there.
        announce: is told in words what is done.
        progress: of what is under way, a session of measuring or an evaluation: steps done, steps of all.
    """

    places: tuple[Conditions, ...]
    keep: Callable[[Measurement], None]
    imagenet: Path | None = None
    weights: Path | None = None
    download: bool = False
    state: Path | None = None
    announce: Callable[[str], None] = _say_nothing
    progress: Progress | None = None

    def conditions(self, *, limit_s: float) -> tuple[Conditions, ...]:
        """The places with a limit of time where the user gave none."""
        return tuple(place if place.limit_s is not None else replace(place, limit_s=limit_s) for place in self.places)
