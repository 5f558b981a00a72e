"""The paper's comparison table: every network in it, timed at the resolutions that it was published at.

Networks of the papers that are in no space here are taken from timm; one that timm does not have either is a row that
says so. Steps of ablations are no networks of their own and have no row.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.measure import Measurement
from bench.networks import costs
from bench.networks.models import Model, TimmModel
from bench.reproduce.devices import missing_of
from bench.reproduce.findings import DIFFERS, Finding, Report, failed, not_run
from bench.reproduce.foreign import timm_counts
from bench.reproduce.independent import is_independent
from bench.reproduce.latency import latency_verdict, top1
from bench.reproduce.names import ABSENT, TIMM, at_its_resolution, buildable, is_at, own_resolution
from bench.reproduce.published import Figure, figures
from bench.reproduce.ratios import latencies, printed_latency, sources
from bench.reproduce.sessions import UNTIMED, Session, as_plain, circumstances, latency_words, time_together
from bench.reproduce.work import Work
from bench.study.conditions import Conditions
from bench.study.models import Named, find_model, reference_points

# Of one network's share of a session.
LIMIT_S = 15.0
_TOGETHER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One row of the table.

    Attributes:
        name: of the network in the published figures.
        family: networks of one are timed together.
        resolution: in pixels.
        built: as `bench measure` takes it; None where it cannot be built here.
    """

    name: str
    family: str
    resolution: int
    built: str | None

    @property
    def label(self) -> str:
        """The name, with the resolution where that is not the network's own."""
        return at_its_resolution(self.name, self.resolution)


def rows() -> tuple[TableRow, ...]:
    """All rows: the reference points, then the networks of timm, then those that are nowhere."""
    points = {name: architecture.family for name, architecture in reference_points().items() if figures(name)}
    strangers = {name: name.split("_")[0] for name in (*TIMM, *ABSENT)}
    return tuple(
        TableRow(name=name, family=family, resolution=side, built=buildable(name, side))
        for name, family in (points | strangers).items()
        for side in _resolutions(name, is_point=name in points)
    )


def parts() -> tuple[tuple[TableRow, ...], ...]:
    """Rows that are timed together: of one family, a few at a time, so that an interruption costs little."""
    families: dict[str, list[TableRow]] = {}
    for row in rows():
        families.setdefault(row.family, []).append(row)
    return tuple(
        tuple(members[begin : begin + _TOGETHER])
        for members in families.values()
        for begin in range(0, len(members), _TOGETHER)
    )


def subject(members: Sequence[TableRow]) -> str:
    """What the report of some rows is about."""
    return f"table: {', '.join(row.label for row in members)}"


def reproduce_rows(members: Sequence[TableRow], work: Work) -> Report:
    """The rows, timed in one session; one by one where that cannot be.

    Raises:
        MeasureError: a runner cannot be used at all.
        StoreError: a measurement cannot be kept.
    """
    begin = time.monotonic()
    buildable_rows = [row for row in members if row.built is not None]
    findings = [_absent(row) for row in members if row.built is None]
    points: list[dict[str, Any]] = []
    sessions: list[Session] = []
    for conditions in work.conditions(limit_s=LIMIT_S * len(members)):
        for together, found in _timed(buildable_rows, conditions, work):
            if isinstance(found, str):
                findings += [_untimed(row, found) for row in together]
                continue
            sessions.append(found)
            for row in together:
                point = _point(row, found)
                points.append(point)
                findings.append(_finding(row, point, found))
    return Report(
        kind="table",
        subject=subject(members),
        title=f"the comparison {subject(members)}",
        findings=tuple(findings),
        points=tuple(points),
        fingerprint=circumstances(work.places),
        seconds=time.monotonic() - begin,
        sessions=tuple(session.protocol() for session in sessions),
    )


def _resolutions(name: str, *, is_point: bool) -> tuple[int, ...]:
    """Those that a latency was published at, and a reference point's own; where none was, the network's own."""
    own = own_resolution(name)
    stated = [figure.resolution for figure in figures(name) if figure.quantity == "latency_ms"]
    sides = [own, *stated] if is_point or not any(stated) else stated
    return tuple(side for side in dict.fromkeys(sides) if side is not None)


def _model(row: TableRow) -> Named:
    assert row.built is not None
    return find_model(row.built)


def _timed(
    members: Sequence[TableRow], conditions: Conditions, work: Work
) -> Iterator[tuple[Sequence[TableRow], Session | str]]:
    """Rows with their session, or with the verdict of why there is none."""
    if not members:
        return
    try:
        session = time_together([_model(row) for row in members], conditions, work)
    except UNTIMED as error:
        if len(members) == 1:
            yield members, failed(error)
            return
        # One that cannot be exported must not keep the others from being timed.
        for row in members:
            yield from _timed([row], conditions, work)
    else:
        yield members, session


def _measurement(row: TableRow, session: Session) -> Measurement:
    model = _model(row)
    assert isinstance(model, Model | TimmModel)
    return session.measurements[model.label]


def _point(row: TableRow, session: Session) -> dict[str, Any]:
    accuracy, is_distilled = _accuracy(row)
    return {
        **as_plain(_measurement(row, session)),
        **_counts(row),
        "name": row.label,
        "family": f"{row.family} (distilled)" if is_distilled else row.family,
        "resolution": row.resolution,
        "top1": accuracy,
        "place": session.place,
    }


def _counts(row: TableRow) -> Mapping[str, float]:
    """Millions of parameters and billions of multiply-adds of the form that is timed, where they can be told."""
    model = _model(row)
    if isinstance(model, Model):
        cost = costs(model.architecture, resolution=row.resolution)
        return {"params_m": cost.params / 1e6, "macs_g": cost.macs / 1e9}
    counted = timm_counts(TIMM[row.name], row.resolution)
    found = {"params_m": (counted.params, 1e6), "macs_g": (counted.macs, 1e9)}
    return {name: number / unit for name, (number, unit) in found.items() if number is not None}


def _accuracy(row: TableRow) -> tuple[float | None, bool]:
    """Published top-1 in percent, and whether it is a distilled network's because no other was published."""
    if (plain := top1(row.name, resolution=row.resolution)) is not None:
        return plain, False
    distilled = (
        figure.value
        for figure in figures(row.name)
        if (figure.quantity, figure.training) == ("top1", "distilled") and is_at(figure, row.resolution)
    )
    found = next(distilled, None)
    return found, found is not None


def _latencies(row: TableRow) -> tuple[Figure, ...]:
    """Those of the networks' authors; what others measured stands beside the claims and the models."""
    return tuple(figure for figure in latencies(row.name, row.resolution) if not is_independent(figure))


def _finding(row: TableRow, point: Mapping[str, Any], session: Session) -> Finding:
    found = _measurement(row, session)
    if not found.has_figures:
        return _untimed(row, not_run(f"{found.verdict}: {found.reason}"))
    counts = [f"{point[key]:.2f} {unit}" for key, unit in (("params_m", "M"), ("macs_g", "G")) if key in point]
    keys = ("ms", "ratio_to_t8", "ratio_low", "ratio_high", "params_m", "macs_g")
    return replace(
        _untimed(row, _verdict(_latencies(row), found)),
        quantity=", ".join((f"{row.name} at {row.resolution} px", *counts)),
        measured=latency_words(found),
        note=session.remark([found.label]),
        values={key: point[key] for key in keys if key in point},
    )


def _untimed(row: TableRow, verdict: str) -> Finding:
    """What was published of a row, with a verdict."""
    accuracy, is_distilled = _accuracy(row)
    told = [] if accuracy is None else [f"top-1 {accuracy:g} %" + (" (distilled)" if is_distilled else "")]
    published = _latencies(row)
    return Finding(
        quantity=f"{row.name} at {row.resolution} px",
        published=", ".join((*told, *(printed_latency(figure) for figure in published))),
        verdict=verdict,
        source=sources(published),
    )


def _absent(row: TableRow) -> Finding:
    """A row that cannot be built, with what is known of why the paper has no latency of it either."""
    notes = dict.fromkeys(figure.note for figure in figures(row.name) if figure.note)
    return replace(_untimed(row, not_run("no implementation here")), note="; ".join(notes))


def _verdict(published: Sequence[Figure], found: Measurement) -> str:
    """Of the latencies that were measured as they were published; else what the others need."""
    like = [figure for figure in published if figure.value is not None and not missing_of(figure, found)]
    verdicts = {latency_verdict(figure, found) for figure in like}
    if verdicts:
        return next(iter(verdicts)) if len(verdicts) == 1 else DIFFERS
    lacking = dict.fromkeys(text for figure in published if (text := missing_of(figure, found)))
    return not_run("; ".join(lacking)) if lacking else ""
