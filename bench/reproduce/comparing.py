"""Any models side by side: what they cost, how long they take in pairs, how accurate they are where that is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.measure import Measurement, compare, summarise, why_not_comparable
from bench.networks import costs
from bench.networks.models import Model
from bench.report.comparison import Row
from bench.reproduce.latency import top1
from bench.store import Store
from bench.study.models import Named


def rows(models: Sequence[Named], measurements: Sequence[Measurement], store: Store | None) -> tuple[Row, ...]:
    """A row for each measurement, in order.

    Args:
        models: in the order in which they were measured, each once.
        measurements: of one session.
        store: where the accuracies of trials are looked up.
    """
    pairs = zip(models, measurements, strict=True)
    return tuple(_row(model, found, measurements[0], store) for model, found in pairs)


def _row(model: Named, found: Measurement, first: Measurement, store: Store | None) -> Row:
    is_pair = found is not first and found.has_figures and first.has_figures
    accuracy, told = known_accuracy(model, store)
    counted = costs(model.architecture, resolution=found.resolution) if isinstance(model, Model) else None
    return Row(
        label=found.label,
        params_m=None if counted is None else counted.params / 1e6,
        macs_g=None if counted is None else counted.macs / 1e9,
        summary=summarise(found) if found.has_figures else None,
        pair=compare(first, found) if is_pair else None,
        differences=() if found is first else why_not_comparable(first, found),
        verdict=found.verdict + (f": {found.reason}" if found.reason else ""),
        memory_mib=found.memory_mib,
        accuracy=accuracy,
        accuracy_of=told,
    )


def known_accuracy(model: Named, store: Store | None) -> tuple[float | None, str]:
    """Top-1 in percent and what it is: of a trial its short training's, of a reference point the published one."""
    if isinstance(model, Path) or not isinstance(model, Model):
        return None, ""
    if "/" not in model.name:
        published = top1(model.name)
        return published, "" if published is None else "ImageNet, as published"
    if store is None:
        return None, ""
    scores = store.scores(store.find_trial(model.name).id)
    if not scores:
        return None, ""
    last = scores[-1]
    data = last.fidelity.get("data") or last.fidelity.get("source") or "the study's data"
    return 100 * last.accuracy, f"{data}, after {int(last.fidelity['images_seen']):,} pictures"
