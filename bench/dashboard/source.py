"""Every document of the dashboard, made from one database that is only ever read.

Each transaction opens a connection of its own: a page that is open for days holds nothing, and finds a database that
was put in the place of another. What was read of a study stays in memory and is kept up with what changes.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.dashboard.compare_document import (
    compare_document,
    run_of,
    strategies_document,
    within_document,
)
from bench.dashboard.followed import Following, Group
from bench.dashboard.points_document import points_document
from bench.dashboard.published_document import published_document
from bench.dashboard.question import Question
from bench.dashboard.runners_document import runners_document
from bench.dashboard.study_document import studies_document, study_document
from bench.dashboard.telling import told
from bench.dashboard.trial_document import trial_document
from bench.report.columns import REFERENCE, STATUSES
from bench.report.figure_names import bounded_names
from bench.report.likeness import search_differences
from bench.report.points import StudyPoints
from bench.report.rows import column_names, latency_columns, study_data
from bench.report.views import study_view
from bench.store import BASELINES, Json, StudyRecord, open_fleet_reader, open_store
from bench.store.opening import utc_now

Document = dict[str, Any]

# Readers never wait in SQLite's write-ahead log; a server that does not answer is told soon.
_TIMEOUT_S = 5.0
_CSV_ROWS = 1000
# What a spreadsheet takes a cell for a formula by (OWASP, "CSV Injection"); an apostrophe before it makes it a text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Source:
    """The documents of one database; for any thread.

    Args:
        db: path or URL.
        study: name of the study to open first; None: the newest.
        clock: the time now.

    Raises:
        StoreError: nothing usable is there, or no study of that name.
        MissingExtra: the database's driver is not installed.
    """

    def __init__(
        self, db: str | Path | None = None, *, study: str | None = None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._reader = open_store(db, read_only=True, timeout_s=_TIMEOUT_S, is_pooled=False)
        self._fleet = open_fleet_reader(db, timeout_s=_TIMEOUT_S)
        self._db = None if db is None else str(db)
        self._clock = clock
        self._following = Following()
        self.chosen = None if study is None else self._reader.study(study).id

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the database back."""
        self._reader.close()
        self._fleet.close()

    def studies(self) -> Document:
        """All studies."""
        return self._studies(self._reader.studies())

    def study(self, study_id: int) -> Document:
        """One study apart from its trials."""
        with self._refreshed(study_id) as group:
            return study_document(group, db=self._db)

    def points(self, study_id: int, question: Question) -> Document | None:
        """The trials of a study; None: nothing has changed."""
        group = self._following.group(self._reader, study_id)
        with group.lock:
            return points_document(group, self._reader, question, self._clock())

    def trial(self, trial_id: int) -> Document:
        """One trial with its samples."""
        record = self._reader.trial(trial_id)
        # A baseline is told from its study's side, which has the one vocabulary of both.
        owner = self._reader.study_named(record.study_name.removesuffix(BASELINES))
        with self._refreshed(owner.id if owner is not None else record.study_id) as group:
            return trial_document(group, self._reader, self._reader.trial(trial_id), db=self._db)

    def compare(self, study_id: int, other_id: int | None) -> Document:
        """Two studies, or one within itself."""
        if other_id is None or other_id == study_id:
            with self._refreshed(study_id) as group:
                return within_document(group)
        # In one order for everybody, so that no two wait for each other.
        with self._refreshed(min(study_id, other_id)) as low, self._refreshed(max(study_id, other_id)) as high:
            first, second = (low, high) if study_id < other_id else (high, low)
            return compare_document(first, second, self._reader)

    def strategies(self, study_id: int) -> Document:
        """Samplers over seeds."""
        own = self._reader.study_by_id(study_id)
        records = [record for record in self._reader.studies() if not record.name.endswith(BASELINES)]
        runs = []
        # One after the other, so that nobody waits for one study while others wait for another.
        for record in records:
            if not search_differences(own, record):
                with self._refreshed(record.id) as group:
                    runs.append(run_of(own, group.study.points))
        return strategies_document(own, runs, records)

    def published(self) -> Document:
        """Published figures."""
        return told(published_document())  # type: ignore[no-any-return]  # a mapping gives a mapping

    def runners(self) -> Document:
        """Registered runners."""
        return runners_document(self._fleet, self._reader.studies(), self._clock())

    def study_name(self, study_id: int) -> str:
        """For the name of a file."""
        return self._reader.study_by_id(study_id).name

    def csv(self, study_id: int) -> Iterator[str]:
        """All trials as parts of a CSV file, as the pandas frame of the study has them."""
        with self._refreshed(study_id) as group:
            # A copy: whoever takes the file slowly keeps nobody waiting, and gets one state.
            points = copy.deepcopy(group.study.points)
        return self._csv(points)

    def _csv(self, points: StudyPoints) -> Iterator[str]:
        columns = points.columns
        fronts = points.is_on_front.tolist()
        names = column_names(columns.latencies, columns.score, bounded_names(columns.study))
        ids = columns.column("trial_id").tolist()
        yield _csv_line(names)
        for start in range(0, len(ids), _CSV_ROWS):
            part = range(start, min(start + _CSV_ROWS, len(ids)))
            found = self._reader.architectures([ids[row] for row in part])
            yield "".join(_csv_line(_csv_row(points, row, fronts[row], found[ids[row]], names)) for row in part)

    def json(self, study_id: int) -> Document:
        """Everything that `bench show STUDY --json` prints."""
        return study_data(study_view(self._reader, self.study_name(study_id)))

    def snapshot_studies(self, study_id: int) -> Document:
        """As `studies`, of one study and its baselines alone."""
        own = self._reader.study_by_id(study_id)
        records = [record for record in self._reader.studies() if record.name in (own.name, own.name + BASELINES)]
        return self._studies(records, chosen=study_id)

    def _studies(self, records: Sequence[StudyRecord], chosen: int | None = None) -> Document:
        return studies_document(
            self._reader,
            records,
            chosen=chosen or self.chosen,
            database=str(self._reader.location),
            now=self._clock(),
        )

    @contextmanager
    def _refreshed(self, study_id: int) -> Iterator[Group]:
        """A group under its lock, as it is now."""
        group = self._following.group(self._reader, study_id)
        with group.lock:
            group.refresh(self._reader)
            yield group


def _csv_row(points: StudyPoints, row: int, is_front: bool, architecture: Json, names: list[str]) -> list[Any]:
    columns, broken = points.columns, points.infeasible[row]
    name = columns.names[row]
    source = next(word for word, code in columns.sources.items() if code == columns.column("source")[row])
    found: dict[str, Any] = {
        "number": int(columns.column("number")[row]),
        "name": name,
        "architecture_id": columns.architecture_ids[row],
        "source": source if name is None else REFERENCE + name,
        "status": STATUSES[int(columns.column("status")[row])],
        "reason": columns.reasons[row],
        "infeasible": broken,
        "images_seen": int(columns.column("images")[row]),
        "is_front": is_front,
        "architecture": json.dumps(dict(architecture)),
        **{figure: columns.figure(figure)[row] for figure in (columns.score, *columns.costs)},
    }
    for latency in columns.latencies:
        ends = ("figure", "low", "high", "ratio")
        values = [columns.column(f"{end} {latency}")[row] for end in ends]
        found |= dict(zip(latency_columns(latency), values, strict=True))
    return [_csv_cell(found.get(column)) for column in names]


def _csv_cell(value: Any) -> Any:
    """Floats in full, as Python writes them; nothing for what is not known; no text that a spreadsheet would run."""
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def _csv_line(cells: list[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
