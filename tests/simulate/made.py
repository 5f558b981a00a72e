"""The made table as a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from made_tables import made_space

from bench.simulate import Task, make_task


def made_task(folder: Path, **options: Any) -> Task:
    """Accuracy against latency; options are those of `make_task`, and `rows`."""
    space = made_space(folder, rows=options.pop("rows", None))
    return make_task(space, maximize="accuracy", minimize=["latency_ms"], **options)
