"""Why reparameterization pays: memory traffic, and the more of it the larger the picture.

FastViT-T8 in train form against its deploy form, and RepMixer against self-attention and pooling as the mixer of its
last two stages, at growing resolutions: how long they take and how much memory a run needs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bench.measure import fingerprint
from bench.networks.models import Model
from bench.reproduce.findings import Finding, Report
from bench.reproduce.latency import Session, place_of, time_together
from bench.reproduce.work import Work
from bench.space import Architecture
from bench.study.measuring import Conditions
from bench.study.models import reference_point

RESOLUTIONS = (256, 512, 1024)
MIXERS = ("repmixer", "attention", "pooling")
# Of one session; at 1,024 px a single restart may take longer.
LIMIT_S = 25.0

_BASE = "fastvit_t8"
_MIXED_STAGES = (2, 3)


def parts() -> tuple[tuple[str, int], ...]:
    """What is measured one after the other: what is varied, and the resolution."""
    return tuple((what, side) for what in ("form", "mixer") for side in RESOLUTIONS)


def reproduce_part(what: str, side: int, work: Work) -> Report:
    """One session: the forms or the mixers at one resolution.

    Raises:
        BenchError: a runner cannot be used.
    """
    begin = time.monotonic()
    findings: list[Finding] = []
    points: list[Mapping[str, Any]] = []
    for conditions in work.conditions(limit_s=LIMIT_S):
        models, conditions = _models(what, side, conditions)
        session = time_together(models, conditions, keep=work.keep, announce=work.announce, progress=work.progress)
        place = place_of(conditions)
        findings += _findings(what, side, session, place)
        points += _points(what, side, session, place)
    return Report(
        kind="traffic",
        subject=f"{what} at {side} px",
        title=f"{'train form against deploy form' if what == 'form' else 'mixers'} at {side} px",
        findings=tuple(findings),
        points=tuple(points),
        fingerprint=fingerprint(),
        seconds=time.monotonic() - begin,
    )


def with_mixer(mixer: str) -> Architecture:
    """FastViT-T8 with another mixer in its last two stages."""
    data = reference_point(_BASE).to_dict()
    stages: list[dict[str, Any]] = [dict(stage) for stage in data["stages"]]  # type: ignore[attr-defined]
    for place in _MIXED_STAGES:
        stages[place]["mixer"] = mixer
    return Architecture.from_dict({**data, "stages": stages})


def _models(what: str, side: int, conditions: Conditions) -> tuple[list[Model], Conditions]:
    if what == "form":
        model = Model(name=_BASE, architecture=reference_point(_BASE), resolution=side)
        return [model], replace(conditions, forms=("deploy", "train"))
    return [
        Model(name=f"{_BASE} with {mixer}", architecture=with_mixer(mixer), resolution=side) for mixer in MIXERS
    ], conditions


def _findings(what: str, side: int, session: Session, place: str) -> Iterator[Finding]:
    first, *others = session.measurements
    for label in others:
        pair = session.ratio(label)
        if pair is None:
            yield Finding(quantity=f"{label} against {first}", measured=f"failed: {session.measurements[label].reason}")
            continue
        memory = {name: session.measurements[name].memory_mib for name in (first, label)}
        told = ", ".join(f"{name} {value:.0f} MiB" for name, value in memory.items() if value is not None)
        yield Finding(
            quantity=f"{_short(label, what)} against {_short(first, what)} at {side} px",
            measured=f"{pair.ratio:.3f} [{pair.low:.3f}, {pair.high:.3f}] times as long ({place})"
            + (f"; peak memory: {told}" if told else ""),
            note=pair.verdict,
            values={"ratio": pair.ratio, "low": pair.low, "high": pair.high}
            | {f"{_short(name, what)} memory_mib": value for name, value in memory.items() if value is not None},
        )


def _points(what: str, side: int, session: Session, place: str) -> Iterator[dict[str, Any]]:
    first = session.first.label
    for label in session.measurements:
        pair = None if label == first else session.ratio(label)
        yield {
            "what": what,
            "name": _short(label, what),
            "resolution": side,
            "ms": session.milliseconds(label),
            "ratio": 1.0 if label == first else None if pair is None else pair.ratio,
            "low": None if pair is None else pair.low,
            "high": None if pair is None else pair.high,
            "memory_mib": session.measurements[label].memory_mib,
            "place": place,
        }


def _short(label: str, what: str) -> str:
    if what == "form":
        return "train form" if "(train form)" in label else "deploy form"
    return next(mixer for mixer in MIXERS if f"with {mixer}" in label)
