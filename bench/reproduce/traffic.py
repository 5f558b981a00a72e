"""Why reparameterization pays: memory traffic, and the more of it the larger the picture.

FastViT-T8 in train form against its deploy form, and RepMixer against self-attention and pooling as the mixer of its
last two stages, at growing resolutions: how long they take and how much memory a run needs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bench.networks.models import Model
from bench.reproduce.findings import Finding, Report, failed, not_run
from bench.reproduce.sessions import UNTIMED, Session, circumstances, pair_words, place_of, time_together, within
from bench.reproduce.work import Work
from bench.space import Architecture
from bench.study.conditions import Conditions
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


def subject(what: str, side: int) -> str:
    """What the report of a part is about."""
    return f"{what} at {side} px"


def reproduce_part(what: str, side: int, work: Work) -> Report:
    """One session: the forms or the mixers at one resolution; a finding that says why where it cannot be timed.

    Raises:
        MeasureError: a runner cannot be used at all.
        StoreError: a measurement cannot be kept.
    """
    begin = time.monotonic()
    title = f"{'train form against deploy form' if what == 'form' else 'mixers'} at {side} px"
    findings: list[Finding] = []
    sessions: list[Session] = []
    for conditions in work.conditions(limit_s=LIMIT_S):
        models, varied = _models(what, side, conditions)
        try:
            session = time_together(models, varied, work)
        except UNTIMED as error:
            findings.append(Finding(quantity=title, verdict=failed(error), note=place_of(conditions)))
            continue
        findings += _findings(what, side, session)
        sessions.append(session)
    return Report(
        kind="traffic",
        subject=subject(what, side),
        title=title,
        findings=tuple(findings),
        points=tuple(point for session in sessions for point in _points(what, side, session)),
        fingerprint=circumstances(work.places),
        seconds=time.monotonic() - begin,
        sessions=tuple(session.protocol() for session in sessions),
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


def _findings(what: str, side: int, session: Session) -> Iterator[Finding]:
    first, *others = session.measurements
    for label in others:
        pair = session.ratio(label)
        quantity = f"{_short(label, what)} against {_short(first, what)} at {side} px"
        if pair is None:
            without = [session.measurements[name] for name in (first, label)]
            reasons = "; ".join(f"{one.label}: {one.reason}" for one in without if not one.has_figures)
            yield Finding(quantity=quantity, verdict=not_run(reasons), note=session.place)
            continue
        memory = {name: session.memory_mib(name) for name in (first, label)}
        told = ", ".join(f"{_short(name, what)} {value:.0f} MiB" for name, value in memory.items() if value is not None)
        ratio = within(pair.ratio, pair.low, pair.high, restarts=pair.num_restarts, digits=3)
        yield Finding(
            quantity=quantity,
            measured=f"{ratio} times as long ({session.place})" + (f"; peak memory: {told}" if told else ""),
            note=f"{pair_words(pair)}; {session.remark((first, label))}",
            values={"ratio": pair.ratio, "low": pair.low, "high": pair.high, "restarts": pair.num_restarts}
            | {f"{_short(name, what)} memory_mib": value for name, value in memory.items() if value is not None},
        )


def _points(what: str, side: int, session: Session) -> Iterator[dict[str, Any]]:
    first, timed = session.first.label, session.first.has_figures
    for label in session.measurements:
        pair = None if label == first else session.ratio(label)
        yield {
            "what": what,
            "name": _short(label, what),
            "resolution": side,
            "ms": session.milliseconds(label),
            "ratio": pair.ratio if pair is not None else 1.0 if timed and label == first else None,
            "low": None if pair is None else pair.low,
            "high": None if pair is None else pair.high,
            "restarts": None if pair is None else pair.num_restarts,
            "memory_mib": session.memory_mib(label),
            "place": session.place,
        }


def _short(label: str, what: str) -> str:
    if what == "form":
        return "train form" if "(train form)" in label else "deploy form"
    return next(mixer for mixer in MIXERS if f"with {mixer}" in label)
