"""Runs of reproductions: a list of parts, each kept in the store when it is done, so that a long run can go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import ReproduceError
from bench.measure import same_conditions
from bench.networks.models import Model
from bench.reproduce import claims, table, traffic
from bench.reproduce.findings import Report
from bench.reproduce.model import reproduce_model
from bench.reproduce.published import figures
from bench.reproduce.sessions import circumstances
from bench.reproduce.work import Work
from bench.store import Reader, ReportRecord, Store
from bench.study.models import find_model, reference_points

WHOLE = ("claims", "table", "all")
_PLAN = "plan"
# To the microsecond: two runs that are begun in one second are two.
_TIME = "%Y%m%d-%H%M%S-%f"
_NUM_DIFFERENCES = 3

# Is called before each part with its number from 0, their number, and its subject.
Step = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One report to be made."""

    subject: str
    make: Callable[[Work], Report]


def parts_of(what: str) -> tuple[Part, ...]:
    """What `bench reproduce WHAT` does, in order.

    Args:
        what: a reference point, "claims", "table" or "all".

    Raises:
        SpaceError: no reference point of that name.
        ReproduceError: the model has no published figures.
    """
    match what:
        case "claims":
            return (*_claims(), *_traffic())
        case "table":
            return tuple(_rows())
        case "all":
            published = [name for name in reference_points() if figures(name)]
            return (*(_model(name) for name in published), *parts_of("claims"), *parts_of("table"))
    return (_model(what),)


def new_run(store: Store, what: str, options: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> str:
    """Begins a run and gives its name, by which it can be taken up again."""
    run = f"{what.replace('@', '-')}-{datetime.now(UTC).strftime(_TIME)}"
    store.record_report(
        run=run, kind=_PLAN, subject=_PLAN, data={"what": what, "options": dict(options)}, fingerprint=fingerprint
    )
    return run


def plan_of(store: Reader, run: str) -> tuple[str, Mapping[str, Any]]:
    """What a run was begun for, and its options.

    Raises:
        ReproduceError: there is no such run.
    """
    plan = next((record for record in store.reports(run=run) if record.kind == _PLAN), None)
    if plan is None:
        known = [record.run for record in store.reports(kind=_PLAN)]
        told = ", ".join(known[-5:]) or "none"
        raise ReproduceError(f"no run {run!r}; the last ones: {told}; begin one with bench reproduce")
    return str(plan.data["what"]), plan.data["options"]


def go(store: Store, run: str, work: Work, *, step: Step) -> Iterator[Report]:
    """Makes the parts of a run that are not kept yet, and gives all of them in order.

    Raises:
        ReproduceError: parts were kept on another machine or with other software, and others are still to be made.
    """
    what, options = plan_of(store, run)
    parts = parts_of(what)
    kept = {record.subject: record for record in store.reports(run=run) if record.kind != _PLAN}
    if any(part.subject not in kept for part in parts):
        _check_circumstances(run, tuple(kept.values()), circumstances(work.places))
    for number, part in enumerate(parts):
        if part.subject in kept:
            yield _report(kept[part.subject])
            continue
        step(number, len(parts), part.subject)
        report = replace(part.make(work), options=_without_folders(options))
        store.record_report(
            run=run,
            kind=report.kind,
            subject=part.subject,
            data=report.to_dict(),
            fingerprint=report.fingerprint,
        )
        yield report


def keep_report(store: Store, report: Report) -> None:
    """Keeps a report that is a run of its own."""
    run = f"{report.kind}-{datetime.now(UTC).strftime(_TIME)}"
    store.record_report(
        run=run, kind=report.kind, subject=report.subject, data=report.to_dict(), fingerprint=report.fingerprint
    )


def reports_of(store: Reader, run: str) -> tuple[Report, ...]:
    """What a run has found so far."""
    return tuple(_report(record) for record in store.reports(run=run) if record.kind != _PLAN)


def _check_circumstances(run: str, kept: Sequence[ReportRecord], today: Mapping[str, Any]) -> None:
    """Latencies of another machine or release never stand in one report."""
    for record in kept:
        if differences := same_conditions(record.fingerprint, today):
            raise ReproduceError(
                f"run {run!r} found {record.subject!r} under other conditions "
                f"({'; '.join(differences[:_NUM_DIFFERENCES])}); its parts and new ones do not stand in one report; "
                "go on where it was begun, or begin another run"
            )


def _without_folders(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with files and folders by their names alone: reports may be published."""
    paths = {name: Path(options[name]).name for name in ("imagenet", "weights") if options.get(name)}
    return {**options, **paths}


def _report(record: ReportRecord) -> Report:
    return Report.from_dict(record.data)


def _model(name: str) -> Part:
    model = find_model(name)
    if not isinstance(model, Model) or not figures(model.name):
        known = ", ".join(name for name in reference_points() if figures(name))
        raise ReproduceError(
            f"{name!r} has no published figures; known: {known}, {', '.join(WHOLE)}; name one of these"
        )
    return Part(subject=model.label, make=lambda work: reproduce_model(model, work))


def _claims() -> Iterator[Part]:
    for pair in claims.pairs():
        make = partial(claims.reproduce_pair, pair)
        yield Part(subject=f"{pair[0]} against {pair[1]}", make=_briefly(make))


def _traffic() -> Iterator[Part]:
    for what, side in traffic.parts():
        make = partial(traffic.reproduce_part, what, side)
        yield Part(subject=traffic.subject(what, side), make=_briefly(make))


def _rows() -> Iterator[Part]:
    for rows in table.parts():
        yield Part(subject=table.subject(rows), make=_briefly(partial(table.reproduce_rows, rows)))


def _briefly(make: Callable[[Work], Report]) -> Callable[[Work], Report]:
    return lambda work: make(claims.brief(work))
