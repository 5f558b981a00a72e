"""Top-1 and top-5 of published weights, where the weights and ImageNet are at hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.evaluate import why_partial
from bench.networks.models import Model
from bench.reproduce.findings import Finding, not_run
from bench.reproduce.judging import verdicts
from bench.reproduce.published import Figure, figures
from bench.reproduce.weights import Weights, load_weights, missing_weights
from bench.reproduce.work import Work

if TYPE_CHECKING:
    from bench.evaluate import Accuracy, Preprocessing

_QUANTITY = "top-1 (%)"


def accuracy_findings(model: Model, work: Work) -> Iterator[Finding]:
    """One finding for each published top-1.

    Raises:
        BenchError: weights or pictures that were named cannot be used.
    """
    published = [figure for figure in figures(model.name) if figure.quantity == "top1" and figure.value is not None]
    if not published:
        return
    needs = (None if work.imagenet is not None else "ImageNet (--imagenet DIR)", missing_weights(model, work))
    if missing := " and ".join(need for need in needs if need is not None):
        for figure in published:
            yield Finding(
                quantity=_QUANTITY,
                published=in_words(figure),
                verdict=not_run(missing),
                note=figure.note,
                source=figure.source,
            )
        return
    weights, found = _evaluated(model, work)
    partial = why_partial("imagenet", found)
    judged = verdicts(published, found.top1, weights.circumstances, partial=partial)
    for figure, verdict in zip(published, judged, strict=True):
        yield Finding(
            quantity=_QUANTITY,
            published=in_words(figure),
            measured=told(found),
            verdict=verdict,
            note=note_of(weights, found, weights.circumstances.preprocessing, figure.note),
            source=figure.source,
            values=values_of(found),
        )


def evaluate_published(model: Model, work: Work) -> Accuracy:
    """The accuracy of the model's weights in deploy form on the ImageNet that the work names.

    Raises:
        BenchError: weights or pictures cannot be used.
    """
    return _evaluated(model, work)[1]


def check_weights(model: Model, work: Work) -> None:
    """Loads the weights that `accuracy_findings` will need, and throws them away: a bad file is told before long work.

    Raises:
        BenchError: they cannot be used.
    """
    if work.imagenet is not None and missing_weights(model, work) is None:
        load_weights(model, work)


def in_words(figure: Figure) -> str:
    """A published accuracy with its training, and the weights where the source names them."""
    named = [part for part in (figure.training, figure.weights) if part not in (None, "unstated")]
    return f"{figure.value:.{figure.decimals}f}" + (f" ({', '.join(map(str, named))})" if named else "")


def told(found: Accuracy) -> str:
    """An accuracy in words."""
    return f"top-1 {found.top1:.3f} %, top-5 {found.top5:.3f} % of {found.num_pictures:,} pictures"


def note_of(weights: Weights, found: Accuracy, preprocessing: Preprocessing, *more: str) -> str:
    """What an accuracy was found with: weights, preprocessing, and since when it is known."""
    shown = f"{preprocessing.resolution} px, crop {preprocessing.crop:g}, {preprocessing.interpolation}"
    kept = "" if found.resumed_from is None else f"counted at {found.resumed_from} and kept"
    parts = (*more, f"weights {weights.source}", shown, weights.note, kept)
    return "; ".join(part for part in parts if part)


def values_of(found: Accuracy) -> dict[str, float]:
    """The numbers of an accuracy, for a finding."""
    return {"top1": found.top1, "top5": found.top5, "pictures": float(found.num_pictures)}


def _evaluated(model: Model, work: Work) -> tuple[Weights, Accuracy]:
    from bench.evaluate import Classifier, evaluate, find_validation, imagenet_classes
    from bench.networks.fold import fold

    assert work.imagenet is not None
    classes = imagenet_classes()
    pictures = find_validation(work.imagenet, classes)
    work.announce(f"{model.name}: weights")
    weights = load_weights(model, work)
    classifier = Classifier(
        network=fold(weights.network), preprocessing=weights.circumstances.preprocessing, classes=classes
    )
    work.announce(f"{model.name}: evaluating")
    return weights, evaluate(classifier, pictures, state_dir=work.state, progress=work.progress)
