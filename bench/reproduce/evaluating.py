"""Accuracy of weights on ImageNet and its variants, with the published figures beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.errors import ReproduceError
from bench.evaluate import (
    SHIFTED,
    Accuracy,
    Classifier,
    CorruptionErrors,
    Preprocessing,
    evaluate,
    evaluate_corruptions,
    find_shifted,
    find_validation,
    imagenet_classes,
)
from bench.measure import fingerprint
from bench.networks.fold import fold
from bench.networks.models import Model
from bench.reproduce.accuracy import judged, load_published_network
from bench.reproduce.findings import Finding, Report, not_run
from bench.reproduce.published import figures
from bench.reproduce.work import Work

_QUANTITIES = {
    "imagenet": "top1",
    "imagenet-a": "imagenet_a_top1",
    "imagenet-r": "imagenet_r_top1",
    "imagenet-sketch": "imagenet_sketch_top1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Where the benchmarks' pictures lie; None: not evaluated."""

    imagenet: Path | None = None
    shifted: tuple[tuple[str, Path], ...] = ()
    corrupted: Path | None = None

    @property
    def is_empty(self) -> bool:
        return self.imagenet is None and not self.shifted and self.corrupted is None


def evaluate_model(
    model: Model, folders: Folders, preprocessing: Preprocessing, work: Work, *, device: str, form: str
) -> Report:
    """Everything that the folders allow, one finding each.

    Args:
        form: "deploy" or "train"; they give the same answers but for near ties.

    Raises:
        ReproduceError: no folder was given.
        BenchError: weights or pictures cannot be used.
    """
    if folders.is_empty:
        raise ReproduceError(
            "nothing to evaluate on; a folder of pictures is needed; give --imagenet, --imagenet-a, --imagenet-r, "
            "--imagenet-sketch or --imagenet-c"
        )
    begin = time.monotonic()
    work.announce(f"{model.name}: weights")
    network = load_published_network(model, work)
    classes = imagenet_classes()
    classifier = Classifier(
        network=fold(network) if form == "deploy" else network, preprocessing=preprocessing, classes=classes
    )
    run = partial(evaluate, device=device, state_dir=work.state, progress=work.progress)
    findings: list[Finding] = []
    if folders.imagenet is not None:
        work.announce(f"{model.name} on ImageNet")
        found = run(classifier, find_validation(folders.imagenet, classes))
        findings += _findings(model, "imagenet", found, preprocessing)
    for benchmark, folder in folders.shifted:
        work.announce(f"{model.name} on {benchmark}")
        found = run(classifier, find_shifted(benchmark, folder, classes))
        findings += _findings(model, benchmark, found, preprocessing)
    if folders.corrupted is not None:
        work.announce(f"{model.name} on ImageNet-C")
        findings += _corruptions(evaluate_corruptions(classifier, folders.corrupted, run=run))
    return Report(
        kind="evaluation",
        subject=model.label,
        title=f"accuracy of {model.name}, {preprocessing.resolution} px, crop {preprocessing.crop:g}, "
        f"{preprocessing.interpolation}",
        findings=tuple(findings),
        points=(),
        fingerprint=fingerprint(),
        seconds=time.monotonic() - begin,
    )


def _findings(model: Model, benchmark: str, found: Accuracy, preprocessing: Preprocessing) -> Iterator[Finding]:
    told = f"top-1 {found.top1:.3f} %, top-5 {found.top5:.3f} % of {found.num_pictures:,} pictures"
    wanted = SHIFTED.get(benchmark, 1000)
    notes = [f"{found.num_classes} classes; the benchmark has {wanted}"] if found.num_classes != wanted else []
    if found.unreadable:
        first, reason = found.unreadable[0]
        notes.append(f"{len(found.unreadable)} pictures could not be read, such as {first}: {reason}")
    values = {"top1": found.top1, "top5": found.top5, "pictures": float(found.num_pictures)}
    published = [figure for figure in figures(model.name) if figure.quantity == _QUANTITIES[benchmark]]
    # A part of a benchmark is another benchmark.
    is_whole = found.num_classes == wanted
    if not published:
        yield Finding(quantity=f"{benchmark}: top-1", measured=told, note="; ".join(notes), values=values)
    for figure in published:
        if figure.value is None:
            continue
        yield Finding(
            quantity=f"{benchmark}: top-1",
            published=f"{figure.value:.{figure.decimals}f} % ({figure.training})",
            measured=told,
            verdict=judged(figure, found.top1, preprocessing) if is_whole else not_run("the whole benchmark"),
            note="; ".join([*notes, figure.note] if figure.note else notes),
            source=figure.source,
            values=values,
        )


def _corruptions(found: CorruptionErrors) -> Iterator[Finding]:
    for name, error in found.errors.items():
        relative = found.relative_to_alexnet[name]
        yield Finding(
            quantity=f"imagenet-c: {name}",
            measured=f"error {error:.2f} %, {relative:.2f} % of AlexNet's",
            values={"error": error, "relative": relative},
        )
    if found.mce is None:
        yield Finding(
            quantity="imagenet-c: mean corruption error",
            verdict=not_run(f"{', '.join(found.missing)} are missing"),
        )
    else:
        yield Finding(
            quantity="imagenet-c: mean corruption error",
            measured=f"{found.mce:.2f} % (AlexNet: 100 %)",
            values={"mce": found.mce},
        )
