"""The paper's claims one by one, each with its exact pair, measured on the runner at hand.

The claims are about a phone and a graphics card. That a ranking differs elsewhere contradicts none of them; to say by
how much it does is what this is for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.measure import Comparison
from bench.reproduce.devices import BATCH, missing
from bench.reproduce.findings import Finding, Report, failed, not_run
from bench.reproduce.independent import independent_findings
from bench.reproduce.latency import verdict_of
from bench.reproduce.names import buildable
from bench.reproduce.points import points_finding
from bench.reproduce.published import Claim, claims, figures
from bench.reproduce.sentences import in_terms, published_speedups, published_text, sentence, widened
from bench.reproduce.sessions import (
    LEAST_RESTARTS,
    UNTIMED,
    Session,
    as_plain,
    circumstances,
    place_of,
    time_together,
    within,
)
from bench.reproduce.work import Work
from bench.study.models import find_model

# Of one pair on one runner: all of them together take less than a quarter of an hour on two CPUs.
LIMIT_S = 40.0
_MOST_RESTARTS = 12
_TARGET = 0.02

_BACKBONE = "backbone_latency_ms"

Pair = tuple[str, str]


def pairs() -> dict[Pair, tuple[Claim, ...]]:
    """The claims by what has to be timed for them, model and opponent, each at its resolution; in the claims' order."""
    grouped: dict[Pair, tuple[Claim, ...]] = {}
    for claim in claims():
        pair = pair_of(claim)
        grouped[pair] = (*grouped.get(pair, ()), claim)
    return grouped


def pair_of(claim: Claim) -> Pair:
    """Model and opponent as `bench measure` takes them."""
    model = buildable(claim.model, claim.model_resolution)
    opponent = buildable(claim.opponent, claim.opponent_resolution)
    assert model is not None  # a test holds this of every claim, and of its opponent
    assert opponent is not None
    return model, opponent


def reproduce_pair(pair: Pair, work: Work) -> Report:
    """All claims about one pair of models; what cannot be timed or evaluated is a finding that says why.

    Raises:
        MeasureError: a runner cannot be used at all.
        StoreError: a measurement cannot be kept.
    """
    begin = time.monotonic()
    found = pairs()[pair]
    timed = [claim for claim in found if claim.comparison != "points"]
    findings = [points_finding(claim, work) for claim in found if claim.comparison == "points"]
    sessions: list[Session] = []
    for conditions in work.conditions(limit_s=LIMIT_S):
        try:
            session = time_together([find_model(name) for name in pair], conditions, work)
        except UNTIMED as error:
            findings += [_untimed(claim, place_of(conditions), failed(error)) for claim in timed]
            continue
        findings += _judged(timed, session)
        sessions.append(session)
    findings += independent_findings(found[0].model, found[0].opponent)
    return Report(
        kind="claim",
        subject=f"{pair[0]} against {pair[1]}",
        title=f"{found[0].model} against {found[0].opponent}",
        findings=tuple(findings),
        points=tuple(
            {**as_plain(measurement), "place": session.place}
            for session in sessions
            for measurement in session.measurements.values()
        ),
        fingerprint=circumstances(work.places),
        seconds=time.monotonic() - begin,
        sessions=tuple(session.protocol() for session in sessions),
    )


def brief(work: Work) -> Work:
    """The same work by the quick protocol: three restarts, and up to twelve while the ratio is not known to 2 %.

    Where a place says how many restarts at most or how precisely, that holds.
    """
    places = tuple(
        replace(
            place,
            is_quick=True,
            most_restarts=place.most_restarts or _MOST_RESTARTS,
            target=place.target or _TARGET,
        )
        for place in work.places
    )
    return replace(work, places=places)


def _judged(found: Sequence[Claim], session: Session) -> Iterator[Finding]:
    _, opponent = tuple(session.measurements)
    pair = session.ratio(opponent)
    for claim in found:
        if pair is None:
            without = [one for one in session.measurements.values() if not one.has_figures]
            reasons = "; ".join(f"{one.label}: {one.reason}" for one in without)
            yield _untimed(claim, session.place, not_run(reasons))
        else:
            yield _against_claim(claim, pair, session)


def _against_claim(claim: Claim, pair: Comparison, session: Session) -> Finding:
    # The comparison is opponent over model, as a speedup is.
    low, middle, high = (in_terms(claim, value) for value in (pair.low, pair.ratio, pair.high))
    unit = " %" if claim.comparison == "saving" else ""
    whole = f", whole networks at {claim.model_resolution} px" if claim.quantity == _BACKBONE else ""
    batch = f", at batch {BATCH}" if claim.batch not in (None, BATCH) else ""
    milliseconds = {label: session.milliseconds(label) for label in session.measurements}
    told = sentence(claim, pair)
    return Finding(
        quantity=claim.text,
        published=published_text(claim),
        measured=f"{within(middle, low, high, restarts=pair.num_restarts, unit=unit)} ({session.place}{whole}{batch}): "
        + ", ".join(f"{label} {value:.1f} ms" for label, value in milliseconds.items() if value is not None),
        verdict=_verdict(claim, pair, session),
        note="; ".join(text for text in (told, session.remark(session.measurements), claim.note) if text),
        source=claim.source,
        values={
            "speedup": pair.ratio,
            "speedup_low": pair.low,
            "speedup_high": pair.high,
            "restarts": pair.num_restarts,
            "margin": pair.margin,
        },
    )


def _verdict(claim: Claim, pair: Comparison, session: Session) -> str:
    lacking = missing(claim.device, _runtime(claim), claim.batch, session.first)
    if claim.quantity == _BACKBONE:
        lacking = " and ".join(text for text in (lacking, "backbones without their classifiers") if text)
    if not lacking and pair.num_restarts < LEAST_RESTARTS:
        lacking = f"{LEAST_RESTARTS} restarts"
    return not_run(lacking) if lacking else verdict_of(widened(pair), published_speedups(claim))


def _runtime(claim: Claim) -> str | None:
    """What the claim's latencies were measured with: that of the model's published latency on the claim's device."""
    for figure in figures(claim.model):
        is_same = (figure.quantity, figure.device, figure.batch) == (claim.quantity, claim.device, claim.batch)
        if is_same and figure.resolution == claim.model_resolution:
            return figure.runtime
    return None


def _untimed(claim: Claim, place: str, verdict: str) -> Finding:
    return Finding(
        quantity=claim.text,
        published=published_text(claim),
        verdict=verdict,
        note="; ".join(text for text in (place, claim.note) if text),
        source=claim.source,
    )
