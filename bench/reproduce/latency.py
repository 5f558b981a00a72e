"""Latency of a published model beside its opponents, and what the published latencies say of it.

A published latency is of a device; only that device can confirm or contradict it. What is measured elsewhere is told
beside it and not judged against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bench.measure import Comparison, Measurement, summarise
from bench.reproduce.devices import missing_of
from bench.reproduce.findings import DIFFERS, REPRODUCED, Finding, not_run
from bench.reproduce.names import at_its_resolution, buildable, is_at, own_resolution
from bench.reproduce.published import Figure, claims, figures
from bench.reproduce.ratios import PublishedRatio, latencies, printed, printed_latency, published_ratios, sources
from bench.reproduce.sessions import LEAST_RESTARTS, Session, latency_words, num_restarts, pair_words, within
from bench.study.models import reference_points

_NUM_OPPONENTS = 2
_NEAREST = "nearest in published top-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opponent:
    """A network that a model is timed beside.

    Attributes:
        name: in the published figures.
        resolution: that it is timed at, in pixels.
        built: as `bench measure` takes it.
        is_claimed: whether a claim is about the two; else it is the nearest of another family in top-1.
    """

    name: str
    resolution: int
    built: str
    is_claimed: bool


def opponents(name: str, resolution: int) -> tuple[Opponent, ...]:
    """Whom a model is claimed against at a resolution, then networks of other families nearest in published top-1."""
    claimed = dict.fromkeys(_claimed(name, resolution))
    points = reference_points()
    own = top1(name, resolution=resolution)
    strangers = sorted(
        (abs(theirs - own), other)
        for other, architecture in points.items()
        if own is not None and name in points and architecture.family != points[name].family
        if (theirs := top1(other)) is not None
    )
    known = {opponent.name for opponent in claimed}
    nearest = [other for _, other in strangers if other not in known]
    sides = [(other, own_resolution(other) or 0) for other in nearest[: max(0, _NUM_OPPONENTS - len(claimed))]]
    return (
        *claimed,
        *(Opponent(name=other, resolution=side, built=f"{other}@{side}", is_claimed=False) for other, side in sides),
    )


def top1(name: str, *, resolution: int | None = None) -> float | None:
    """Published top-1 of a plainly trained network in percent; the released weights' where several are known.

    Args:
        resolution: in pixels; None: the network's own. Nothing is given where nothing was published for it; a figure
            whose source does not say counts at the network's own.
    """
    side = own_resolution(name) if resolution is None else resolution
    found = [
        figure
        for figure in figures(name)
        if figure.quantity == "top1" and figure.training != "distilled" and is_at(figure, side)
    ]
    released = [figure for figure in found if "README" in figure.source]
    values = [figure.value for figure in released or found if figure.value is not None]
    return values[0] if values else None


def own_finding(session: Session) -> Finding:
    """The first model's milliseconds here, and its ratio to the reference."""
    found, quantity = session.first, f"latency, {session.place}"
    if not found.has_figures:
        return Finding(quantity=quantity, verdict=not_run(f"{found.verdict}: {found.reason}"))
    summary = summarise(found)
    values = {
        "ms": summary.median_ms,
        "low_ms": summary.low_ms,
        "high_ms": summary.high_ms,
        "ratio": summary.ratio_to_reference,
        "ratio_low": summary.ratio_low,
        "ratio_high": summary.ratio_high,
    }
    memory = session.memory_mib(found.label)
    return Finding(
        quantity=quantity,
        measured=latency_words(found),
        note=session.remark([found.label]) + (f" ({found.reason})" if found.reason else ""),
        values=values if memory is None else values | {"memory_mib": memory},
    )


def published_findings(name: str, resolution: int, sessions: Sequence[Session]) -> Iterator[Finding]:
    """The published latencies: one by one where one was measured as it was published, the others together."""
    rest: dict[Figure, str] = {}
    for figure in latencies(name, resolution):
        lacking = {missing_of(figure, session.first): session.first for session in sessions}
        like = lacking.get("")
        if like is not None and like.has_figures and figure.value is not None:
            yield _judged(figure, like)
        else:
            # In the place that is most like it, the least is missing.
            rest[figure] = min(filter(None, lacking), key=len, default=missing_of(figure, None))
    if rest:
        yield Finding(
            quantity="latency elsewhere",
            published="; ".join(printed_latency(figure) for figure in rest),
            verdict=not_run("; ".join(dict.fromkeys(rest.values()))),
            note="a latency belongs to its device: what was measured here neither confirms nor contradicts it",
            source=sources(tuple(rest)),
        )


def opponent_finding(session: Session, label: str, other: Opponent, name: str) -> Finding:
    """An opponent's milliseconds here and its ratio to the first model, beside the published ratios of the two."""
    pair, found = session.ratio(label), session.measurements[label]
    published = published_ratios(other.name, other.resolution, name, session.first.resolution)
    quantity = f"latency of {at_its_resolution(other.name, other.resolution)}"
    common = Finding(
        quantity=quantity if other.is_claimed else f"{quantity} ({_NEAREST})",
        published=f"x {name}: " + "; ".join(ratio.words for ratio in published) if published else "",
        source=sources([figure for ratio in published for figure in (ratio.theirs, ratio.ours)]),
    )
    if pair is None:
        without = [one for one in (session.first, found) if not one.has_figures]
        return replace(common, verdict=not_run("; ".join(f"{one.label}: {one.reason}" for one in without)))
    told = within(pair.ratio, pair.low, pair.high, restarts=pair.num_restarts, digits=3)
    milliseconds = session.milliseconds(label) or 0.0
    return replace(
        common,
        measured=f"{milliseconds:.2f} ms, {told} x {name}",
        verdict=_ratio_verdict(published, pair, found),
        note=f"{pair_words(pair)}; {session.remark([session.first.label, label])}",
        values={"ratio": pair.ratio, "low": pair.low, "high": pair.high, "ms": milliseconds},
    )


def latency_verdict(figure: Figure, found: Measurement) -> str:
    """The verdict of a latency that was measured as it was published: its interval against the printed digits."""
    if num_restarts(found) < LEAST_RESTARTS:
        return not_run(f"{LEAST_RESTARTS} restarts")
    summary = summarise(found)
    return verdict_of((summary.low_ms, summary.high_ms), printed(figure))


def verdict_of(interval: tuple[float, float], printed: tuple[float, float]) -> str:
    """REPRODUCED where an interval and what a printed number stands for have a value in common, else DIFFERS."""
    return REPRODUCED if interval[0] <= printed[1] and printed[0] <= interval[1] else DIFFERS


def _claimed(name: str, resolution: int) -> Iterator[Opponent]:
    for claim in claims():
        sides = ((claim.model, claim.model_resolution), (claim.opponent, claim.opponent_resolution))
        for this, (other, side) in (sides, sides[::-1]):
            if this == (name, resolution) and (built := buildable(other, side)) is not None:
                yield Opponent(name=other, resolution=side, built=built, is_claimed=True)


def _judged(figure: Figure, found: Measurement) -> Finding:
    summary = summarise(found)
    return Finding(
        quantity=f"latency on {figure.device}",
        published=printed_latency(figure),
        measured=latency_words(found),
        verdict=latency_verdict(figure, found),
        note=figure.note,
        source=figure.source,
        values={"ms": summary.median_ms, "low_ms": summary.low_ms, "high_ms": summary.high_ms},
    )


def _ratio_verdict(published: Sequence[PublishedRatio], pair: Comparison, found: Measurement) -> str:
    """Of the like ratios that were measured as they were published; else what is missing, or nothing to compare."""
    lacking = {ratio: [missing_of(one, found) for one in (ratio.theirs, ratio.ours)] for ratio in published}
    like = [ratio for ratio, texts in lacking.items() if not ratio.mixed and not any(texts)]
    if not published:
        return ""
    if not like:
        return not_run("; ".join(dict.fromkeys(text for texts in lacking.values() for text in texts if text)))
    if pair.num_restarts < LEAST_RESTARTS:
        return not_run(f"{LEAST_RESTARTS} restarts")
    verdicts = {verdict_of((pair.low, pair.high), ratio.printed) for ratio in like}
    return DIFFERS if DIFFERS in verdicts else REPRODUCED
