"""Studies as figures of them are drawn: opened by name or by what was loaded, with their points and their axes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from bench.errors import ConfigError, nearest
from bench.report.columns import StudyColumns
from bench.report.figure_names import FigureName
from bench.report.points import StudyPoints
from bench.report.views import StudyView
from bench.store import Reader, StudyRecord, open_store


class HasView(Protocol):
    """What `bench.load_study` gives, as far as it is needed here."""

    @property
    def view(self) -> StudyView:
        """Of the study."""

    @property
    def db(self) -> str | None:
        """Where it lies."""


Named = str | HasView


@contextmanager
def opened(study: Named, db: str | Path | None) -> Iterator[tuple[Reader, StudyRecord]]:
    if isinstance(study, str):
        name, place = study, db
    else:
        name, place = study.view.study.name, study.db if db is None else db
    with open_store(place, read_only=True) as store:
        yield store, store.study(name)


def points_of(reader: Reader, record: StudyRecord) -> StudyPoints:
    points = StudyPoints(record)
    with reader.changes(record.id) as changes:
        points.apply(changes)
    return points


def axes_of(columns: StudyColumns, x: str | None, y: str | None) -> tuple[FigureName, FigureName]:
    known = {found.name: found for found in (*columns.objectives, *columns.figures)}
    for name in (x, y):
        if name is not None and name not in known:
            hint = nearest(name, known) or "; use one of them"
            raise ConfigError(f"no figure {name!r} in {columns.study.name!r}; known: {', '.join(known)}{hint}")
    up, across = list(known.values())[:2]
    return known.get(x or "", across), known.get(y or "", up)
