"""Studies whose accuracies and costs are given number by number, for what follows from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scripted import add_study, config_of, scored, session_of

from bench.report.views import StudyView, study_view
from bench.store import Store
from bench.study.evaluation import EvaluationJob


def exact_study(
    store: Store,
    folder: Path,
    accuracy: dict[tuple[int, int], float],
    *,
    macs_g: Callable[[int], float] = lambda number: 0.001 * (1.0 + number),
    name: str = "scripted",
    **settings: object,
) -> StudyView:
    """A study whose candidates have the accuracy given by (number, rung), and multiply-adds by number."""
    config = config_of(objectives=["accuracy", "macs"], budget=len({number for number, _ in accuracy}), **settings)
    session = session_of(store, add_study(store, config, name=name), folder)
    while not session.plan.is_done:
        job = session.next_job()
        assert isinstance(job, EvaluationJob)
        if job.rung == 0:
            session.update(job.number, {"kind": "prepared", "figures": {"macs_g": macs_g(job.number)}, "seconds": {},
                "artifact": {"sha256": "0", "format": "onnx", "bytes": 1}})  # fmt: skip
        session.update(job.number, scored(job, accuracy[job.number, job.rung]))
    session.finish()
    return study_view(store, name)
