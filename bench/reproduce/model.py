"""One published model: counts, proofs, latency beside its opponents, accuracy where there are data and weights."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from bench.measure import fingerprint
from bench.networks.models import Model
from bench.reproduce.accuracy import accuracy_findings
from bench.reproduce.counts import count_findings
from bench.reproduce.findings import Finding, Report
from bench.reproduce.latency import Session, as_plain, latency_findings, named, opponents, place_of, time_together, top1
from bench.reproduce.proofs import proof_findings
from bench.reproduce.published import figures
from bench.reproduce.work import Work

# FastViT-T8 and two opponents are known to 1 % in half of it (2 vCPUs, 2026).
LIMIT_S = 60.0


def reproduce_model(model: Model, work: Work) -> Report:
    """Everything that can be checked of a reference point here.

    Raises:
        BenchError: a runner or a file that the work names cannot be used.
    """
    begin = time.monotonic()
    findings: list[Finding] = []
    work.announce(f"{model.name}: counts")
    findings += count_findings(model, figures(model.name))
    work.announce(f"{model.name}: proofs")
    findings += proof_findings(model)
    points: list[Mapping[str, Any]] = []
    for conditions in work.conditions(limit_s=LIMIT_S):
        others = opponents(model.name)
        models = [model, *named(others)]
        session = time_together(models, conditions, keep=work.keep, announce=work.announce, progress=work.progress)
        place = place_of(conditions)
        findings += latency_findings(session, model.name, others, place)
        points += _points(session, place)
    findings += accuracy_findings(model, work)
    return Report(
        kind="model",
        subject=model.name,
        title=f"{model.name}: published and found here",
        findings=tuple(findings),
        points=tuple(points),
        fingerprint=fingerprint(),
        seconds=time.monotonic() - begin,
    )


def _points(session: Session, place: str) -> list[dict[str, Any]]:
    """Latency measured here and published accuracy, for the chart."""
    found = []
    for label, measurement in session.measurements.items():
        accuracy = top1(label.split("@")[0].split(",")[0])
        if measurement.has_figures and accuracy is not None:
            found.append({**as_plain(measurement), "top1": accuracy, "place": place})
    return found
