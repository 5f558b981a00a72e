"""One published model: counts, proofs, latency beside its opponents, accuracy where there are data and weights."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from bench.errors import BenchError
from bench.networks.models import Model
from bench.reproduce.accuracy import accuracy_findings, check_weights
from bench.reproduce.counts import count_findings
from bench.reproduce.findings import Finding, Report, failed
from bench.reproduce.latency import Opponent, opponent_finding, opponents, own_finding, published_findings, top1
from bench.reproduce.names import at_its_resolution
from bench.reproduce.proofs import proof_findings
from bench.reproduce.published import figures
from bench.reproduce.sessions import UNTIMED, Session, as_plain, circumstances, place_of, time_together
from bench.reproduce.work import Work
from bench.study.conditions import Conditions
from bench.study.models import Named, find_model

# FastViT-T8 and two opponents are known to 1 % in half of it (2 vCPUs, 2026).
LIMIT_S = 60.0


def reproduce_model(model: Model, work: Work) -> Report:
    """Everything that can be checked of a reference point here; what cannot is a finding that says why.

    Raises:
        NetworkError: the file that `work.weights` names cannot be used; found before anything is timed.
        MeasureError: a runner cannot be used at all.
        StoreError: a measurement cannot be kept.
    """
    begin = time.monotonic()
    unusable = _unusable_weights(model, work)
    work.announce(f"{model.name}: counts")
    # Of any resolution: each is counted at its own.
    findings = list(count_findings(model, figures(model.name)))
    work.announce(f"{model.name}: proofs")
    findings += proof_findings(model)
    sessions: list[Session] = []
    others = opponents(model.name, model.resolution)
    for conditions in work.conditions(limit_s=LIMIT_S):
        timed = _timed(model, others, conditions, work)
        if isinstance(timed, Finding):
            findings.append(timed)
            continue
        sessions.append(timed)
        findings.append(own_finding(timed))
        findings += _opponents(timed, others, model.name)
    findings += published_findings(model.name, model.resolution, sessions)
    findings += _accuracy(model, work, unusable)
    return Report(
        kind="model",
        subject=model.label,
        title=f"{model.label}: published and found here",
        findings=tuple(findings),
        points=tuple(point for session in sessions for point in _points(session, model, others)),
        fingerprint=circumstances(work.places),
        seconds=time.monotonic() - begin,
        sessions=tuple(session.protocol() for session in sessions),
    )


def _unusable_weights(model: Model, work: Work) -> BenchError | None:
    """Why weights from the hub cannot be used; a file that the user named has to be right at once."""
    if work.weights is not None:
        check_weights(model, work)
        return None
    try:
        check_weights(model, work)
    except BenchError as error:
        return error
    return None


def _timed(model: Model, others: Sequence[Opponent], conditions: Conditions, work: Work) -> Session | Finding:
    try:
        together: list[Named] = [model, *(find_model(other.built) for other in others)]
        return time_together(together, conditions, work)
    except UNTIMED as error:
        return Finding(quantity=f"latency, {place_of(conditions)}", verdict=failed(error))


def _opponents(session: Session, others: Sequence[Opponent], name: str) -> Iterator[Finding]:
    # Measurements stand in the order in which the models were named.
    for label, other in zip(list(session.measurements)[1:], others, strict=True):
        yield opponent_finding(session, label, other, name)


def _accuracy(model: Model, work: Work, unusable: BenchError | None) -> list[Finding]:
    try:
        if unusable is not None:
            raise unusable
        return list(accuracy_findings(model, work))
    except BenchError as error:
        return [Finding(quantity="top-1 (%)", verdict=failed(error))]


def _points(session: Session, model: Model, others: Sequence[Opponent]) -> Iterator[dict[str, Any]]:
    """Ratio to the reference here and published accuracy, for the chart."""
    sides = [(model.name, model.resolution), *((other.name, other.resolution) for other in others)]
    for (name, resolution), measurement in zip(sides, session.measurements.values(), strict=True):
        accuracy = top1(name, resolution=resolution)
        if measurement.has_figures and accuracy is not None:
            yield {
                **as_plain(measurement),
                "name": at_its_resolution(name, resolution),
                "family": name.split("_")[0],
                "top1": accuracy,
                "place": session.place,
            }
