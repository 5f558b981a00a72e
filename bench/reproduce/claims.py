"""The paper's claims one by one, each with its exact pair, measured on the runner at hand.

The claims are about a phone and a graphics card. That a ranking differs elsewhere contradicts none of them; to say by
how much it does is what this is for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from bench.errors import BenchError
from bench.measure import Comparison, fingerprint
from bench.reproduce.findings import Finding, Report, not_run
from bench.reproduce.latency import Session, as_plain, named, place_of, time_together
from bench.reproduce.published import Claim, claims
from bench.reproduce.work import Work

# Of one pair on one runner: all of them together take less than a quarter of an hour on two CPUs.
LIMIT_S = 40.0
_MOST_RESTARTS = 12
_TARGET = 0.02

# Opponents that are in no space here, in timm.
_TIMM = {"nfnet_f1": "timm:nfnet_f1", "efficientformer_l7": "timm:efficientformer_l7"}

Pair = tuple[str, str]


def pairs() -> dict[Pair, tuple[Claim, ...]]:
    """The claims by what has to be timed for them: model and opponent, each at its resolution."""
    ordered = sorted(claims(), key=pair_of)
    grouped = {pair: tuple(found) for pair, found in groupby(ordered, key=pair_of)}
    # In the order of the claims, not of the alphabet.
    return {pair_of(claim): grouped[pair_of(claim)] for claim in claims()}


def pair_of(claim: Claim) -> Pair:
    """Model and opponent as `bench measure` reads them."""
    opponent = _TIMM.get(claim.opponent, claim.opponent)
    return f"{claim.model}@{claim.model_resolution}", f"{opponent}@{claim.opponent_resolution}"


def reproduce_pair(pair: Pair, work: Work) -> Report:
    """All claims about one pair of models.

    Raises:
        BenchError: a runner cannot be used.
    """
    begin = time.monotonic()
    found = pairs()[pair]
    findings: list[Finding] = []
    points: list[dict[str, Any]] = []
    for conditions in work.conditions(limit_s=LIMIT_S):
        place = place_of(conditions)
        try:
            session = time_together(
                named(pair), conditions, keep=work.keep, announce=work.announce, progress=work.progress
            )
        except BenchError as error:
            findings += [_impossible(claim, place, str(error)) for claim in found]
            continue
        findings += _judged(found, session, place)
        points += [{**as_plain(measurement), "place": place} for measurement in session.measurements.values()]
    return Report(
        kind="claim",
        subject=f"{pair[0]} against {pair[1]}",
        title=f"{found[0].model} against {found[0].opponent}",
        findings=tuple(findings),
        points=tuple(points),
        fingerprint=fingerprint(),
        seconds=time.monotonic() - begin,
    )


def brief(work: Work) -> Work:
    """The same work with a shorter protocol: three restarts, and more while the ratio is not known to 2 %."""
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


def _judged(found: Sequence[Claim], session: Session, place: str) -> Iterator[Finding]:
    model, opponent = tuple(session.measurements)
    pair = session.ratio(opponent)
    for claim in found:
        if claim.comparison == "points":
            yield Finding(
                quantity=claim.text,
                published=f"{claim.published:g} points ({claim.model_value:g} - {claim.opponent_value:g} = "
                f"{claim.arithmetic:g})",
                verdict=not_run("ImageNet and both weights (bench reproduce MODEL --imagenet DIR --weights FILE)"),
                note=claim.note,
                source=claim.source,
            )
        elif pair is None:
            failed = [label for label in (model, opponent) if not session.measurements[label].has_figures]
            reasons = "; ".join(f"{label}: {session.measurements[label].reason}" for label in failed)
            yield _impossible(claim, place, reasons)
        else:
            yield _against_claim(claim, pair, session, place)


def _against_claim(claim: Claim, pair: Comparison, session: Session, place: str) -> Finding:
    # The comparison is opponent over model, as a speedup is.
    low, middle, high = (_in_terms(claim, value) for value in (pair.low, pair.ratio, pair.high))
    unit = " %" if claim.comparison == "saving" else ""
    device = claim.device or "a device that the source does not name"
    milliseconds = {label: session.milliseconds(label) for label in session.measurements}
    return Finding(
        quantity=claim.text,
        published=f"{claim.published:g}{unit} on {device}" + (f", batch {claim.batch}" if claim.batch else ""),
        measured=f"{middle:.2f}{unit} [{low:.2f}, {high:.2f}] ({place}): "
        + ", ".join(f"{label} {value:.1f} ms" for label, value in milliseconds.items() if value is not None),
        verdict=not_run(device),
        note=sentence(claim, pair) + (f" ({claim.note})" if claim.note else ""),
        source=claim.source,
        values={"speedup": pair.ratio, "speedup_low": pair.low, "speedup_high": pair.high},
    )


def sentence(claim: Claim, pair: Comparison) -> str:
    """What was found, in plain words."""
    model, opponent = claim.model, claim.opponent
    published = claim.published if claim.comparison == "speedup" else 1 / (1 - claim.published / 100)
    if pair.verdict in ("equal", "undecided"):
        between = "take equally long" if pair.verdict == "equal" else "cannot be told apart"
        return f"here {model} and {opponent} {between}; the claim is a speedup of {published:.2f}"
    if pair.low > 1:
        if published <= 1.05:
            return f"here {model} is faster: {opponent} takes {pair.ratio:.2f} times as long"
        share = "as claimed" if pair.low <= published <= pair.high else "more" if pair.low > published else "less"
        than = "" if share == "as claimed" else f" than the {published:.2f} claimed"
        return f"{model} is faster here too, {share}{than}: {pair.ratio:.2f} times"
    return f"here it is the other way round: {model} takes {1 / pair.ratio:.2f} times as long as {opponent}"


def _in_terms(claim: Claim, speedup: float) -> float:
    return 100 * (1 - 1 / speedup) if claim.comparison == "saving" else speedup


def _impossible(claim: Claim, place: str, reason: str) -> Finding:
    return Finding(
        quantity=claim.text,
        published=f"{claim.published:g} on {claim.device}",
        measured="",
        verdict=not_run(f"{place}: {reason[:200]}"),
        note=claim.note,
        source=claim.source,
    )
