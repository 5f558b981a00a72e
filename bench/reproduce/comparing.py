"""Any models side by side: what they cost, how long they take in pairs, how accurate they are where that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Comparison, Measurement, Summary, compare, summarise, why_not_comparable
from bench.networks import costs
from bench.networks.models import Model
from bench.reproduce.latency import top1
from bench.store import Store
from bench.study.models import Named


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model of a comparison.

    Attributes:
        label: of its measurement.
        params_m: of the deploy form in millions; None for files and networks that are built elsewhere.
        macs_g: of the deploy form in billions; None like that.
        summary: of its latency; None where it could not be timed.
        pair: against the first model, interleaved; None for the first and where one was not timed.
        differences: in what the conditions of the two measurements differ.
        verdict: of the measurement, with its reason.
        memory_mib: peak resident memory of a run.
        accuracy: top-1 in percent, 0 to 100; None where it is not known.
        accuracy_of: what that accuracy is: published, or of a study at how many pictures.
    """

    label: str
    params_m: float | None
    macs_g: float | None
    summary: Summary | None
    pair: Comparison | None
    differences: tuple[str, ...]
    verdict: str
    memory_mib: float | None
    accuracy: float | None
    accuracy_of: str


def rows(models: Sequence[Named], measurements: Sequence[Measurement], store: Store | None) -> tuple[Row, ...]:
    """A row for each measurement, in order.

    Args:
        models: in the order in which they were measured, each once for every setup and form.
        measurements: of one session.
        store: where the accuracies of trials are looked up.
    """
    first = measurements[0]
    each = len(measurements) // len(models)
    return tuple(
        _row(models[place // each] if each else models[0], found, first, store)
        for place, found in enumerate(measurements)
    )


def _row(model: Named, found: Measurement, first: Measurement, store: Store | None) -> Row:
    is_pair = found is not first and found.has_figures and first.has_figures
    accuracy, told = known_accuracy(model, store)
    counted = costs(model.architecture, resolution=found.resolution) if isinstance(model, Model) else None
    memory = [log["memory_mib"] for log in found.protocol.get("processes") or [] if log.get("memory_mib") is not None]
    return Row(
        label=found.label,
        params_m=None if counted is None else counted.params / 1e6,
        macs_g=None if counted is None else counted.macs / 1e9,
        summary=summarise(found) if found.has_figures else None,
        pair=compare(first, found) if is_pair else None,
        differences=() if found is first else why_not_comparable(first, found),
        verdict=found.verdict + (f": {found.reason}" if found.reason else ""),
        memory_mib=max(memory, default=None),
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
