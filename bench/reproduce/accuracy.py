"""Top-1 and top-5 of published weights, where the weights and ImageNet are at hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.evaluate import Preprocessing, published_preprocessing
from bench.networks.models import Model
from bench.reproduce.findings import DIFFERS, REPRODUCED, Finding, not_run
from bench.reproduce.published import Figure, figures
from bench.reproduce.work import Work

if TYPE_CHECKING:
    from torch import nn

# Of 50,000 pictures, in points: what another decoder, library or rounding of near ties moves.
TOLERANCE = 0.1


def accuracy_findings(model: Model, work: Work) -> Iterator[Finding]:
    """One finding for each published top-1.

    Raises:
        BenchError: weights or pictures that were named cannot be used.
    """
    published = [figure for figure in figures(model.name) if figure.quantity == "top1" and figure.value is not None]
    if not published:
        return
    missing = [
        what
        for what, is_there in (
            ("ImageNet (--imagenet DIR)", work.imagenet is not None),
            ("weights (--weights FILE, or --download)", work.weights is not None or work.download),
        )
        if not is_there
    ]
    if missing:
        for figure in published:
            yield _finding(figure, "", not_run(" and ".join(missing)))
        return
    found = evaluate_published(model, work)
    for figure in published:
        assert figure.value is not None
        told = f"top-1 {found[0]:.3f} %, top-5 {found[1]:.3f} % of {found[2]:,.0f} pictures"
        verdict = judged(figure, found[0], _preprocessing(model))
        yield _finding(figure, told, verdict, {"top1": found[0], "top5": found[1]})


def judged(figure: Figure, found: float, preprocessing: Preprocessing) -> str:
    """The verdict of an accuracy: figures of another resolution or crop are of another task."""
    assert figure.value is not None
    if figure.resolution is not None and figure.resolution != preprocessing.resolution:
        return not_run(f"{figure.resolution} px (--resolution)")
    crop = re.search(r"\bcrop (\d(?:\.\d+)?)", figure.note)
    if crop is not None and float(crop[1]) != preprocessing.crop:
        return not_run(f"crop {float(crop[1]):g} (--crop)")
    is_same = abs(found - figure.value) <= max(TOLERANCE, 0.5 * 10.0**-figure.decimals)
    return REPRODUCED if is_same else DIFFERS


def evaluate_published(model: Model, work: Work) -> tuple[float, float, float]:
    """Top-1 and top-5 in percent of the model's weights in deploy form, and the number of pictures."""
    from bench.evaluate import Classifier, evaluate, find_validation, imagenet_classes
    from bench.networks.fold import fold

    assert work.imagenet is not None
    classes = imagenet_classes()
    work.announce(f"{model.name}: weights")
    network = fold(load_published_network(model, work))
    work.announce(f"{model.name}: evaluating")
    accuracy = evaluate(
        Classifier(network=network, preprocessing=_preprocessing(model), classes=classes),
        find_validation(work.imagenet, classes),
        state_dir=work.state,
        progress=work.progress,
    )
    return accuracy.top1, accuracy.top5, accuracy.num_pictures


def load_published_network(model: Model, work: Work) -> nn.Module:
    """The network in train form with the weights that the work names.

    Raises:
        NetworkError: they cannot be read, are of another network, or the hub is out of reach.
    """
    from bench.networks import build
    from bench.networks.checkpoints import download_checkpoint, load_checkpoint, load_published

    network = build(model.architecture, resolution=model.resolution).eval()
    family = model.architecture.family
    if work.weights is not None:
        load_checkpoint(network, work.weights, family=family)
    else:
        state, source = download_checkpoint(model.timm_name, model.name)
        load_published(network, state, family=family, source=source)
    return network


def _preprocessing(model: Model) -> Preprocessing:
    return replace(published_preprocessing(model.name), resolution=model.resolution)


def _finding(figure: Figure, measured: str, verdict: str, values: dict[str, float] | None = None) -> Finding:
    training = f" ({figure.training})" if figure.training not in (None, "unstated") else ""
    return Finding(
        quantity="top-1 (%)",
        published=f"{figure.value:.{figure.decimals}f}{training}",
        measured=measured,
        verdict=verdict,
        note=figure.note,
        source=figure.source,
        values=values or {},
    )
