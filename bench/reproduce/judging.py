"""Verdicts of accuracies: like is compared with like.

A published accuracy belongs to weights, their training, a resolution, a crop and an interpolation. Where one of them
was another, or part of the pictures was missing, the figure was not run; whatever the numbers are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.evaluate.preprocessing import Preprocessing
from bench.reproduce.findings import DIFFERS, REPRODUCED, not_run
from bench.reproduce.published import Figure

# Of 50,000 pictures, in points: what another decoder, library or rounding of near ties moves.
TOLERANCE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How an accuracy was found, as far as figures depend on it.

    Attributes:
        weights: what timm calls them; `None` where a file does not say.
        training: "plain" or "distilled"; `None` where a file does not say.
        is_tensorflow: whether the network pads as TensorFlow does.
        preprocessing: of the pictures.
        published: the preprocessing of the network's authors, meant by figures that state none.
    """

    weights: str | None
    training: str | None
    is_tensorflow: bool
    preprocessing: Preprocessing
    published: Preprocessing


def verdicts(
    figures: Sequence[Figure], value: float, circumstances: Circumstances, *, partial: str | None = None
) -> list[str]:
    """A verdict for each figure, all of one quantity.

    Args:
        value: what was found, in the unit of the figures.
        partial: what the pictures lack; `None` where they are the whole benchmark.
    """
    if partial is not None:
        return [not_run(f"the whole benchmark ({partial})")] * len(figures)
    known = recognised(figures, value, circumstances)
    found = []
    for figure in figures:
        obstacle = _obstacle(figure, known)
        is_same = _is_reproduced(figure, value)
        found.append(not_run(obstacle) if obstacle else REPRODUCED if is_same else DIFFERS)
    return found


def recognised(figures: Sequence[Figure], value: float, circumstances: Circumstances) -> Circumstances:
    """The circumstances with what the accuracy gives away of a file: whose figure it reproduces, it was trained like.

    Figures of one training alone decide; where none or several fit, nothing is known.
    """
    if circumstances.training is not None:
        return circumstances
    fitting = [figure for figure in figures if not _obstacle(figure, circumstances) and _is_reproduced(figure, value)]
    trainings = {figure.training for figure in fitting} & {"plain", "distilled"}
    names = {figure.weights for figure in fitting} - {None}
    return replace(
        circumstances,
        training=trainings.pop() if len(trainings) == 1 else None,
        weights=names.pop() if len(names) == 1 else None,
    )


def _obstacle(figure: Figure, known: Circumstances) -> str:
    """What the figure was found with and we were not; empty where like can be compared with like."""
    used, published = known.preprocessing, known.published
    if figure.resolution is not None and figure.resolution != used.resolution:
        return f"{figure.resolution} px (--resolution {figure.resolution})"
    crop = published.crop if figure.crop is None else figure.crop
    if crop != used.crop:
        return f"crop {crop:g} (bench evaluate --crop {crop:g})"
    if used.interpolation != published.interpolation:
        return f"{published.interpolation} interpolation (bench evaluate --interpolation {published.interpolation})"
    if figure.weights is not None and figure.weights.startswith("tf_") != known.is_tensorflow:
        return f"weights {figure.weights}, " + ("PyTorch's" if known.is_tensorflow else "TensorFlow's") + " padding"
    if figure.weights is not None and known.weights is not None and figure.weights != known.weights:
        return f"weights {figure.weights}"
    is_stated = figure.training in ("plain", "distilled")
    if is_stated and known.training is not None and figure.training != known.training:
        return f"{figure.training} weights"
    return ""


def _is_reproduced(figure: Figure, value: float) -> bool:
    assert figure.value is not None
    return abs(value - figure.value) <= max(TOLERANCE, 0.5 * 10.0**-figure.decimals)
