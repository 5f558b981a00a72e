"""Whether figures of two studies may stand on one front: same machine and software, same pictures, same training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bench.measure import same_conditions
from bench.store import Json, Reader, StudyRecord, is_latency

# Settings that change what a figure means; others (sampler, budget, rules, workers) change which are found.
_OF_TRAINING = ("images", "batch_size", "learning_rate", "weight_decay", "label_smoothing", "ema_decay", "augmentation")
_OF_TIMING = ("runner", "runners", "runtime", "threads")
# Of a score's fidelity what has to agree, as in bench.study.provenance.
_OF_SCORES = ("data_hash", "classes", "precision", "device", "threads")
_MOST_TOLD = 2


def differences(
    first: StudyRecord, second: StudyRecord, fidelities: tuple[Json | None, Json | None] = (None, None)
) -> tuple[str, ...]:
    """Why the fronts of two studies do not compare, one line each; empty where they do.

    Args:
        fidelities: of a score of each, where there is one.
    """
    lines = []
    if dict(first.objectives) != dict(second.objectives):
        lines.append(f"objectives: {', '.join(first.objectives)} and {', '.join(second.objectives)}")
    lines += same_conditions({"data": _part(first, "data")}, {"data": _part(second, "data")})
    lines += _of_settings(first, second, "proxy", _OF_TRAINING)
    if any(map(is_latency, first.objectives)):
        lines += _of_settings(first, second, "timing", _OF_TIMING)
        lines += same_conditions(_steady(first.fingerprint), _steady(second.fingerprint))
    if None not in fidelities:
        lines += _of_scores(*(found or {} for found in fidelities))
    return tuple(dict.fromkeys(lines))


def differences_in(reader: Reader, first: StudyRecord, second: StudyRecord) -> tuple[str, ...]:
    """The same with what the scores of each were bought at, as they are stored.

    Raises:
        StoreError: the database cannot be read.
    """
    return differences(first, second, (reader.fidelity(first.id), reader.fidelity(second.id)))


def told_apart(lines: Sequence[str], *, is_drawn: bool) -> str:
    """What a figure says of baselines that were measured under other conditions."""
    more = f" and {len(lines) - _MOST_TOLD} more" if len(lines) > _MOST_TOLD else ""
    what = "were measured elsewhere and do not compare" if is_drawn else "are left out, measured under other conditions"
    return f"baselines {what}: {'; '.join(lines[:_MOST_TOLD])}{more}"


def told_in(first: StudyRecord, second: StudyRecord) -> float:
    """What a millisecond of `second` is in milliseconds of `first`.

    Each study tells latencies by what the pinned reference took when it began; on a shared machine that drifts. The
    geometric mean over the references that both timed; 1 where there is none.
    """
    common = [key for key in first.reference_ms if key in second.reference_ms]
    if not common:
        return 1.0
    logs = [math.log(float(first.reference_ms[key]) / float(second.reference_ms[key])) for key in common]
    return math.exp(sum(logs) / len(logs))


def search_differences(first: StudyRecord, second: StudyRecord) -> tuple[str, ...]:
    """Why two studies are not the same search with another sampler or seed; empty where they are."""
    lines = list(differences(first, second))
    if first.space_hash != second.space_hash:
        lines.append(f"space or rules: {_space(first)} and {_space(second)}")
    lines += _of_settings(first, second, "proxy", ("rungs", "reduction"))
    if sorted(first.hypervolume_reference) != sorted(second.hypervolume_reference):
        lines.append("one has no reference point of the hypervolume yet")
    return tuple(lines)


def _space(study: StudyRecord) -> str:
    return " ".join((study.space_name, *(study.config.get("rules") or ()), *(study.config.get("constraints") or ())))


def _of_settings(first: StudyRecord, second: StudyRecord, part: str, names: tuple[str, ...]) -> tuple[str, ...]:
    left, right = _part(first, part), _part(second, part)
    return same_conditions(
        {part: {name: left.get(name) for name in names}}, {part: {name: right.get(name) for name in names}}
    )


def _of_scores(first: Json, second: Json) -> list[str]:
    return [
        f"{name}: {first.get(name)!r} and {second.get(name)!r}"
        for name in _OF_SCORES
        # Another resolution is another packing of the same pictures, with a hash of its own.
        if first.get(name) != second.get(name)
        and not (name == "data_hash" and first.get("resolution") != second.get("resolution"))
    ]


def _part(study: StudyRecord, part: str) -> Mapping[str, Any]:
    found = study.config.get(part)
    return found if isinstance(found, Mapping) else {}


def _steady(found: Json) -> dict[str, Any]:
    return {name: found.get(name) for name in ("machine", "software")}
