"""The paper's comparison table: every published network that can be built here, timed at its own resolution."""

from __future__ import annotations

import time
from typing import Any

from bench.measure import fingerprint
from bench.networks import costs
from bench.networks.models import Model
from bench.reproduce.findings import Finding, Report
from bench.reproduce.latency import Session, as_plain, named, place_of, time_together, top1
from bench.reproduce.published import figures
from bench.reproduce.work import Work
from bench.study.models import find_model, reference_points

# Of one network's share of a session.
LIMIT_S = 15.0
_TOGETHER = 4


def parts() -> tuple[tuple[str, ...], ...]:
    """Networks that are timed together: of one family, a few at a time, so that an interruption costs little."""
    families: dict[str, list[str]] = {}
    for name, architecture in reference_points().items():
        if figures(name):
            families.setdefault(architecture.family, []).append(name)
    return tuple(
        tuple(names[begin : begin + _TOGETHER])
        for names in families.values()
        for begin in range(0, len(names), _TOGETHER)
    )


def reproduce_rows(names: tuple[str, ...], work: Work) -> Report:
    """One session of the networks.

    Raises:
        BenchError: a runner cannot be used.
    """
    begin = time.monotonic()
    findings: list[Finding] = []
    points: list[dict[str, Any]] = []
    for conditions in work.conditions(limit_s=LIMIT_S * len(names)):
        session = time_together(
            named(names), conditions, keep=work.keep, announce=work.announce, progress=work.progress
        )
        for name in names:
            point = _point(name, session, place_of(conditions))
            points.append(point)
            findings.append(_finding(point))
    return Report(
        kind="table",
        subject=f"table: {', '.join(names)}",
        title=f"the comparison table: {', '.join(names)}",
        findings=tuple(findings),
        points=tuple(points),
        fingerprint=fingerprint(),
        seconds=time.monotonic() - begin,
    )


def _point(name: str, session: Session, place: str) -> dict[str, Any]:
    model = find_model(name)
    assert isinstance(model, Model)
    train, deploy = costs(model.architecture, form="train"), costs(model.architecture)
    phone = [
        figure for figure in figures(name) if figure.quantity == "latency_ms" and "iPhone 12" in (figure.device or "")
    ]
    return {
        **as_plain(session.measurements[model.label]),
        "name": name,
        "family": model.architecture.family,
        "resolution": model.resolution,
        "train_params_m": train.params / 1e6,
        "params_m": deploy.params / 1e6,
        "macs_g": deploy.macs / 1e9,
        "top1": top1(name),
        "phone_ms": phone[0].value if phone else None,
        "phone": phone[0].device if phone else None,
        "place": place,
    }


def _finding(point: dict[str, Any]) -> Finding:
    phone = f"{point['phone_ms']:g} ms on {point['phone']}" if point["phone_ms"] else ""
    accuracy = f"top-1 {point['top1']:g} %" if point["top1"] else ""
    here = (
        f"{point['ms']:.2f} ms [{point['low_ms']:.2f}, {point['high_ms']:.2f}], {point['ratio_to_t8']:.3f} x FastViT-T8"
        if "ms" in point
        else f"{point['verdict']}: {point['reason']}"
    )
    return Finding(
        quantity=f"{point['name']} at {point['resolution']} px, {point['params_m']:.2f} M, {point['macs_g']:.2f} G",
        published=", ".join(part for part in (accuracy, phone) if part),
        measured=here,
        note=point["verdict"] if "ms" in point else "",
        values={key: point[key] for key in ("ms", "ratio_to_t8", "params_m", "macs_g") if key in point},
    )
