"""Any models side by side: what they cost, how long they take in pairs, how accurate they are where that is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.measure import Measurement, compare, summarise, why_not_comparable
from bench.networks import costs
from bench.networks.models import Model, TimmModel
from bench.report.comparison import Row
from bench.reproduce.foreign import UNKNOWN, Counts, onnx_counts, timm_counts
from bench.reproduce.latency import top1
from bench.store import Reader
from bench.study.models import Named


def rows(models: Sequence[Named], measurements: Sequence[Measurement], store: Reader | None) -> tuple[Row, ...]:
    """A row for each measurement, in order.

    Args:
        models: in the order in which they were measured, each once.
        measurements: of one session.
        store: where the accuracies of trials are looked up.
    """
    pairs = zip(models, measurements, strict=True)
    return tuple(_row(model, found, measurements[0], store) for model, found in pairs)


def is_trial(model: Named) -> bool:
    """Whether it is a trial of a study, whose accuracy only a store knows."""
    return isinstance(model, Model) and "/" in model.name


def known_accuracy(model: Named, resolution: int, store: Reader | None) -> tuple[float | None, str]:
    """Top-1 in percent and what it is: of a trial its short training's, of a reference point the published one.

    Args:
        resolution: that the model is timed at; a published accuracy belongs to one.
    """
    if not isinstance(model, Model):
        return None, ""
    if not is_trial(model):
        published = top1(model.name, resolution=resolution)
        return published, "" if published is None else "ImageNet, as published"
    scores = () if store is None else store.scores(store.find_trial(model.name).id)
    if not scores or "score" in scores[-1].fidelity:
        return None, ""  # none yet, or one that is no accuracy
    last = scores[-1]
    data = last.fidelity.get("data") or last.fidelity.get("source") or "the study's data"
    return 100 * last.accuracy, f"{data}, after {int(last.fidelity['images_seen']):,} pictures"


def _row(model: Named, found: Measurement, first: Measurement, store: Reader | None) -> Row:
    is_pair = found is not first and found.has_figures and first.has_figures
    accuracy, told = known_accuracy(model, found.resolution, store)
    counted = _counts(model, found)
    return Row(
        label=found.label,
        params_m=None if counted.params is None else counted.params / 1e6,
        macs_g=None if counted.macs is None else counted.macs / 1e9,
        summary=summarise(found) if found.has_figures else None,
        pair=compare(first, found) if is_pair else None,
        differences=() if found is first else why_not_comparable(first, found),
        verdict=found.verdict + (f": {found.reason}" if found.reason else ""),
        memory_mib=None if found.device_kind == "cuda" else found.memory_mib,
        accuracy=accuracy,
        accuracy_of=told,
    )


def _counts(model: Named, found: Measurement) -> Counts:
    """Of the form that is timed: folded as far as it can be, by timm for its own networks, and a file as it is."""
    if isinstance(model, Model):
        cost = costs(model.architecture, resolution=found.resolution)
        return Counts(params=cost.params, macs=cost.macs)
    if isinstance(model, TimmModel):
        return timm_counts(model.timm_name, found.resolution)
    # Only what a runtime has loaded after it was looked into is opened here.
    is_readable = isinstance(model, Path) and model.suffix.lower() == ".onnx" and found.has_figures
    return onnx_counts(model, found.resolution) if is_readable else UNKNOWN
