"""The trials of a study as a page gets them: whole, or what has changed since an answer before."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.dashboard.baselines_document import baselines_document
from bench.dashboard.filter import passing
from bench.dashboard.followed import Group
from bench.dashboard.question import MOST_DOMINATED, Cursor, Question
from bench.dashboard.rows_document import rows_document
from bench.dashboard.study_line import study_line
from bench.dashboard.telling import FORMAT, moment, number
from bench.errors import ConfigError, nearest
from bench.report.columns import STATUSES, StudyColumns
from bench.report.pace import pace_of
from bench.report.points import KINDS, Progress, StudyPoints
from bench.report.shown import shown_of
from bench.report.thinning import Plane
from bench.store import Reader

# More rows than this that have changed are told as a whole.
_MOST_CHANGED = 4000


def points_document(group: Group, reader: Reader, question: Question, now: datetime) -> dict[str, Any] | None:
    """The answer; None: nothing has changed. The group is refreshed here, and its lock is held.

    Raises:
        ConfigError: the question names figures that the study does not have.
        StoreError: the database cannot be read.
    """
    group.refresh(reader)
    after = question.after
    if after is not None and not _is_reachable(group, after):
        after = None
    if after is not None and str(after) == str(_cursor(group)):
        return None
    points = group.study.points
    if after is not None:
        changed = np.flatnonzero(points.columns.column("changed") > after.sequence)
        if len(changed) <= _MOST_CHANGED:
            return _delta(group, reader, question, changed, now)
    return _whole(group, reader, question, now)


def _whole(group: Group, reader: Reader, question: Question, now: datetime) -> dict[str, Any]:
    points = group.study.points
    plane = _plane(points.columns, question)
    among, filtered = _filtered(group, reader, question.filter)
    shown = drawn = shown_of(points, plane, most=question.dominated, keep=question.keep, among=among)
    if question.dominated is None or question.dominated > MOST_DOMINATED:
        held = np.zeros(len(points.columns), dtype=bool)
        held[shown.rows] = True
        drawn = shown_of(points, plane, most=MOST_DOMINATED, keep=question.keep, among=held)
    numbers_of = points.columns.column("number")
    return {
        "format": FORMAT,
        "is_whole": True,
        **_common(group, now),
        "filtered": filtered,
        "objectives": [asdict(found) for found in points.columns.objectives],
        "figures": [asdict(found) for found in points.columns.figures],
        **_rows_and_words(group, reader, shown.rows, after=None),
        "drawn": None if len(drawn.rows) == len(shown.rows) else numbers_of[drawn.rows].tolist(),
        "thinning": {
            "dominated": shown.num_dominated,
            "held": shown.num_shown,
            "shown": drawn.num_shown,
            "text": drawn.text,
        },
        "cursor": str(_cursor(group)),
    }


def _delta(
    group: Group, reader: Reader, question: Question, changed: NDArray[np.int64], now: datetime
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "is_whole": False,
        **_common(group, now),
        "filtered": _filtered(group, reader, question.filter)[1],
        **_rows_and_words(group, reader, changed, after=question.after),
        "cursor": str(_cursor(group)),
    }


def _common(group: Group, now: datetime) -> dict[str, Any]:
    """What every answer tells."""
    points = group.study.points
    columns = points.columns
    heard = columns.last_event_at
    return {
        "time": moment(now),
        "idle_seconds": None if heard is None else number(max(0.0, (now - heard).total_seconds())),
        "study": study_line(group),
        "counts": _counts(points),
        "front": [int(columns.column("number")[row]) for row in points.front],
        "is_final": points.is_final,
        "standing": points.standing,
        "fell_out": [int(columns.column("number")[row]) for row in points.fell_out],
        "attainment": attainment_lists(points),
        "hypervolume": number(points.hypervolume),
        "hypervolume_reference": {
            name: number(float(value)) for name, value in columns.study.hypervolume_reference.items()
        },
        "progress": _progress(columns, points.progress()),
        "pace": {
            name: number(value) for name, value in asdict(pace_of(columns, now, is_driven=group.is_driven)).items()
        },
    }


def _filtered(group: Group, reader: Reader, text: str) -> tuple[NDArray[np.bool_] | None, dict[str, Any] | None]:
    """Which trials pass the filter that was asked with, and how many of each kind.

    One that cannot be read filters nothing and is told so: a page that polls with it has to get its answers.
    """
    if not text:
        return None, None
    try:
        among = passing(group, reader, text)
    except ConfigError as error:
        return None, {"text": text, "counts": None, "error": str(error)}
    counts = {"tried": int(among.sum()), **_by_kind(group.study.points, among)}
    return among, {"text": text, "counts": counts, "error": None}


def attainment_lists(points: StudyPoints) -> list[dict[str, Any]]:
    """Step lines with numbers of trials."""
    found = points.columns.column("number")
    return [
        {"x": line.x, "y": line.y, "numbers": [int(found[row]) for row in line.rows]} for line in points.attainments()
    ]


def _counts(points: StudyPoints) -> dict[str, Any]:
    columns = points.columns
    by_status = np.bincount(columns.column("status"), minlength=len(STATUSES))
    return {
        "tried": len(columns),
        "status": {name: int(by_status[code]) for code, name in enumerate(STATUSES) if by_status[code]},
        **_by_kind(points, np.ones(len(columns), dtype=bool)),
    }


def _by_kind(points: StudyPoints, among: NDArray[np.bool_]) -> dict[str, int]:
    num = np.bincount(points.kinds()[among], minlength=len(KINDS))
    return {name: int(num[code]) for code, name in enumerate(KINDS)}


def _progress(columns: StudyColumns, progress: Progress) -> dict[str, Any]:
    found = columns.column("number")
    return {
        "from": 0,
        "number": [int(found[row]) for row in progress.rows],
        "tried": list(progress.tried),
        "seconds": [number(value) for value in progress.seconds],
        "device_seconds": [number(value) for value in progress.device_seconds],
        "hypervolume": [number(value) for value in progress.hypervolume],
    }


def _rows_and_words(group: Group, reader: Reader, rows: NDArray[np.int64], *, after: Cursor | None) -> dict[str, Any]:
    """Rows of the study and of its baselines, then the words that both use: they may be new with these rows."""
    baselines = group.baselines
    others = np.arange(0)
    if baselines is not None:
        is_same = after is not None and after.baselines.startswith(baselines.epoch)
        since = after.baselines_sequence if after is not None and is_same else -1
        others = np.flatnonzero(baselines.points.columns.column("changed") > since)
    ids = group.study.points.columns.column("trial_id")[rows].tolist()
    other_ids = [] if baselines is None else baselines.points.columns.column("trial_id")[others].tolist()
    group.read_choices(reader, [*ids, *other_ids])
    answer: dict[str, Any] = {"rows": rows_document(group, group.study, rows, ids)}
    # Whatever changed in the study may change when it passed them.
    answer["baselines"] = None if baselines is None else baselines_document(group, baselines, reader, others, other_ids)
    if after is None or after.choices != group.book.version:
        answer["choices"] = group.book.listed()
    answer["words"] = {"status": list(STATUSES), **{name: list(words) for name, words in group.words.items()}}
    return answer


def _plane(columns: StudyColumns, question: Question) -> Plane:
    known = [columns.score, *columns.costs]
    names = [found.name for found in columns.objectives]
    usual_y, usual_x = (*names, *columns.costs)[:2]
    for axis in (question.x, question.y):
        if axis is not None and axis not in known:
            raise ConfigError(
                f"no figure {axis[:40]!a} in this study; known: {', '.join(known)}"
                f"{nearest(axis[:40], known) or '; use one of them'}"
            )
    return Plane(
        x=question.x or usual_x,
        y=question.y or usual_y,
        log_x="x" in question.log,
        log_y="y" in question.log,
        window=question.window,
    )


def _cursor(group: Group) -> Cursor:
    return Cursor(
        epoch=group.study.epoch,
        sequence=group.study.sequence,
        baselines=_baselines_mark(group),
        choices=group.book.version,
        driven=str(group.is_driven).lower(),
    )


def _baselines_mark(group: Group) -> str:
    found = group.baselines
    return "-" if found is None else f"{found.epoch}-{found.sequence}"


def _is_reachable(group: Group, after: Cursor) -> bool:
    """Whether what has changed since can be told; baselines that were read anew or have gone cannot."""
    is_known = after.epoch == group.study.epoch and after.sequence <= group.study.sequence
    if group.baselines is None:
        return is_known and after.baselines == "-"
    return is_known and (after.baselines == "-" or after.baselines.startswith(group.baselines.epoch))
