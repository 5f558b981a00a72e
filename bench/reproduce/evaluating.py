"""Accuracy of weights on ImageNet and its variants, with the published figures beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench.errors import MeasureError, ReproduceError
from bench.evaluate import (
    Accuracy,
    Classifier,
    CorruptionErrors,
    Pictures,
    class_differences,
    evaluate,
    evaluate_corruptions,
    find_corruptions,
    find_shifted,
    find_validation,
    imagenet_classes,
    why_partial,
)
from bench.evaluate.preprocessing import Interpolation
from bench.evaluate.robustness import CROP, SEVERITIES
from bench.measure import fingerprint
from bench.networks.fold import fold
from bench.networks.models import Model
from bench.reproduce.accuracy import in_words, note_of, told, values_of
from bench.reproduce.findings import Finding, Report, not_run
from bench.reproduce.judging import Circumstances, recognised, verdicts
from bench.reproduce.published import Figure, figures
from bench.reproduce.weights import Weights, load_weights, require_weights
from bench.reproduce.work import Work

_QUANTITIES = {
    "imagenet": "top1",
    "imagenet-a": "imagenet_a_top1",
    "imagenet-r": "imagenet_r_top1",
    "imagenet-sketch": "imagenet_sketch_top1",
}

_Run = Callable[..., Accuracy]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Where the benchmarks' pictures lie; None: not evaluated."""

    imagenet: Path | None = None
    shifted: tuple[tuple[str, Path], ...] = ()
    corrupted: Path | None = None

    @property
    def is_empty(self) -> bool:
        return self.imagenet is None and not self.shifted and self.corrupted is None


def check_evaluation(model: Model, folders: Folders, work: Work, *, device: str) -> None:
    """What can be refused before anything is read.

    Raises:
        ReproduceError: no folder was given, or no weights.
        MeasureError: there is no GPU.
    """
    if folders.is_empty:
        raise ReproduceError(
            "nothing to evaluate on; a folder of pictures is needed; give --imagenet, --imagenet-a, --imagenet-r, "
            "--imagenet-sketch or --imagenet-c"
        )
    require_weights(model, work)
    if device == "cpu":
        return
    import torch

    if not torch.cuda.is_available():
        raise MeasureError(
            f"evaluating on {device!r} was asked for and torch sees no GPU; allowed here: cpu; leave --device out"
        )


def evaluate_model(
    model: Model,
    folders: Folders,
    work: Work,
    *,
    device: str,
    form: str,
    crop: float | None = None,
    interpolation: Interpolation | None = None,
) -> Report:
    """Everything that the folders allow, one finding for each published figure.

    Args:
        device: "cpu" or "cuda".
        form: "deploy" or "train"; they give the same answers but for near ties.
        crop: instead of the one that belongs to the weights; `interpolation` likewise.

    Raises:
        BenchError: as `check_evaluation`; weights or pictures cannot be used.
    """
    check_evaluation(model, folders, work, device=device)
    begin = time.monotonic()
    classes = imagenet_classes()
    # Before the weights, and all of them before the first evaluation: a wrong folder is told at once.
    lists = list(_lists(folders, classes))
    num_sets = len(find_corruptions(folders.corrupted, classes)) * len(SEVERITIES) if folders.corrupted else 0
    work.announce(f"{model.name}: weights")
    weights = load_weights(model, work, crop=crop, interpolation=interpolation)
    preprocessing = weights.circumstances.preprocessing
    network = fold(weights.network) if form == "deploy" else weights.network
    classifier = Classifier(network=network, preprocessing=preprocessing, classes=classes)
    run = partial(evaluate, device=device, state_dir=work.state)
    findings: list[Finding] = []
    known = weights.circumstances
    for benchmark, pictures in lists:
        work.announce(f"{model.name} on {benchmark}")
        found = run(classifier, pictures, progress=work.progress)
        published = _published(model, _QUANTITIES[benchmark])
        lacks = _lacks(benchmark, found, pictures, classes)
        findings += _findings(benchmark, published, found, weights, known, lacks)
        if benchmark == "imagenet" and lacks is None:
            known = recognised(published, found.top1, known)
    if folders.corrupted is not None:
        sets = _Sets(model.name, run, work, num_sets)
        errors = evaluate_corruptions(classifier, folders.corrupted, run=sets.count)
        findings += _corruptions(errors, _published(model, "imagenet_c_mce"), weights, known, sets.partial)
    return Report(
        kind="evaluation",
        subject=model.label,
        title=f"accuracy of {model.name}, {preprocessing.resolution} px, crop {preprocessing.crop:g}"
        f"{f' (ImageNet-C: {CROP:g})' if folders.corrupted else ''}, {preprocessing.interpolation}",
        findings=tuple(findings),
        points=(),
        fingerprint=fingerprint(runner=device),
        seconds=time.monotonic() - begin,
    )


class _Sets:
    """Counts the sets of ImageNet-C one after the other as one work, and remembers what they lack."""

    def __init__(self, name: str, run: _Run, work: Work, num_sets: int) -> None:
        self.partial: str | None = None
        self._name, self._run, self._work = name, run, work
        self._num_left, self._num_pictures = num_sets, 0

    def count(self, classifier: Classifier, pictures: Pictures) -> Accuracy:
        self._work.announce(f"{self._name} on {pictures.label}")
        before, size = self._num_pictures, len(pictures.pictures)
        # How many pictures the sets to come have is not known; officially all have as many.
        total = before + size * self._num_left

        def show(done: int, _size: int) -> None:
            if self._work.progress is not None:
                self._work.progress(before + done, total)

        found = self._run(classifier, pictures, progress=show)
        self._num_left, self._num_pictures = self._num_left - 1, before + size
        lacks = why_partial("imagenet-c", found)
        if lacks is not None and self.partial is None:
            num_present = len({picture.label for picture in pictures.pictures})
            self.partial = f"{pictures.label.partition(':')[2]} has {lacks} (of {num_present:,} classes)"
        return found


def _lists(folders: Folders, classes: tuple[str, ...]) -> Iterator[tuple[str, Pictures]]:
    if folders.imagenet is not None:
        yield "imagenet", find_validation(folders.imagenet, classes)
    for benchmark, folder in folders.shifted:
        yield benchmark, find_shifted(benchmark, folder, classes)


def _lacks(benchmark: str, found: Accuracy, pictures: Pictures, classes: tuple[str, ...]) -> str | None:
    lacks = (class_differences(benchmark, pictures, classes), why_partial(benchmark, found))
    return "; ".join(part for part in lacks if part is not None) or None


def _published(model: Model, quantity: str) -> list[Figure]:
    return [figure for figure in figures(model.name) if figure.quantity == quantity and figure.value is not None]


def _findings(
    benchmark: str,
    published: list[Figure],
    found: Accuracy,
    weights: Weights,
    known: Circumstances,
    lacks: str | None,
) -> Iterator[Finding]:
    quantity, part = f"{benchmark}: top-1", f"a part of the benchmark: {lacks}" if lacks else ""
    if not published:
        note = note_of(weights, found, known.preprocessing, part)
        yield Finding(quantity=quantity, measured=told(found), note=note, values=values_of(found))
    judged = verdicts(published, found.top1, known, partial=lacks)
    for figure, verdict in zip(published, judged, strict=True):
        yield Finding(
            quantity=quantity,
            published=in_words(figure),
            measured=told(found),
            verdict=verdict,
            note=note_of(weights, found, known.preprocessing, figure.note),
            source=figure.source,
            values=values_of(found),
        )


def _corruptions(
    found: CorruptionErrors,
    published: list[Figure],
    weights: Weights,
    known: Circumstances,
    partial: str | None,
) -> Iterator[Finding]:
    for name, error in found.errors.items():
        relative = found.relative_to_alexnet[name]
        yield Finding(
            quantity=f"imagenet-c: {name}",
            measured=f"error {error:.2f} %, {relative:.2f} % of AlexNet's",
            note=f"a part of the benchmark: {partial}" if partial else "",
            values={"error": error, "relative": relative},
        )
    quantity, source = "imagenet-c: mean corruption error", f"weights {weights.source}"
    mce, lacks = found.mce, f"{', '.join(found.missing)} missing" if found.missing else partial
    if mce is None or lacks is not None:
        yield Finding(quantity=quantity, verdict=not_run(f"the whole benchmark ({lacks})"), note=source)
        return
    measured, values = f"{mce:.2f} % (AlexNet: 100 %)", {"mce": mce}
    if not published:
        yield Finding(quantity=quantity, measured=measured, note=source, values=values)
    # Its pictures are taken whole by everyone.
    uncropped = replace(
        known, preprocessing=replace(known.preprocessing, crop=CROP), published=replace(known.published, crop=CROP)
    )
    for figure, verdict in zip(published, verdicts(published, mce, uncropped), strict=True):
        yield Finding(
            quantity=quantity,
            published=in_words(figure),
            measured=measured,
            verdict=verdict,
            note="; ".join(part for part in (figure.note, source) if part),
            source=figure.source,
            values=values,
        )
