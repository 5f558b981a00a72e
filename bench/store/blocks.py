"""Rows of a study column by column, some thousands at a time.

A hundred thousand trials are three hundred thousand rows with JSON and times in them. An object for each, and a parser
called for each of its fields, takes several times as long as reading them, so that here a block of rows has one list
for each of its columns, its JSON is parsed as one document, and its times are one array.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from sqlalchemy import ColumnElement, Select, String, Text, cast, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session

from bench.store.records import Json
from bench.store.tables import MeasurementRow, RetrainingRow, ScoreRow, TrialRow

if TYPE_CHECKING:
    # Not when the store is opened: that takes longer than most commands need.
    import numpy as np
    from numpy.typing import NDArray

    Moments = NDArray[np.datetime64]
    """Times in UTC, in microseconds; NaT where there is none."""

# Rows in memory at a time: with their JSON, a hundred thousand would be hundreds of megabytes.
_ROWS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some rows of one table: sequences of equal length."""

    @classmethod
    @abstractmethod
    def query(cls) -> Select[Any]:
        """The columns that `of_rows` takes, of all studies."""

    @classmethod
    @abstractmethod
    def of_rows(cls, columns: Sequence[Sequence[Any]]) -> Self:
        """A block from what was read, column by column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBlock(Block):
    """Trials as they are now; columns as in `TrialRecord`."""

    id: Sequence[int]
    number: Sequence[int]
    architecture_id: Sequence[str]
    source: Sequence[str]
    status: Sequence[str]
    reason: Sequence[str | None]
    costs: Sequence[Json]
    stage_seconds: Sequence[Json]
    finished_at: Moments

    @classmethod
    def query(cls) -> Select[Any]:
        return select(
            TrialRow.id,
            TrialRow.number,
            TrialRow.architecture_id,
            TrialRow.source,
            TrialRow.status,
            TrialRow.reason,
            cast(TrialRow.costs, Text),
            cast(TrialRow.stage_seconds, Text),
            _as_stored(TrialRow.finished_at),
        )

    @classmethod
    def of_rows(cls, columns: Sequence[Sequence[Any]]) -> Self:
        trial_id, number, architecture_id, source, status, reason, costs, stage_seconds, finished_at = columns
        return cls(
            id=trial_id,
            number=number,
            architecture_id=architecture_id,
            source=source,
            status=status,
            reason=reason,
            costs=_documents(costs),
            stage_seconds=_documents(stage_seconds),
            finished_at=_moments(finished_at),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreBlock(Block):
    """Scores of trials; columns as in `ScoreRecord`."""

    trial_id: Sequence[int]
    rung: Sequence[int]
    accuracy: Sequence[float]
    images_seen: Sequence[int]
    created_at: Moments

    @classmethod
    def query(cls) -> Select[Any]:
        images = ScoreRow.fidelity["images_seen"].as_integer()
        return select(ScoreRow.trial_id, ScoreRow.rung, ScoreRow.accuracy, images, _as_stored(ScoreRow.created_at))

    @classmethod
    def of_rows(cls, columns: Sequence[Sequence[Any]]) -> Self:
        trial_id, rung, accuracy, images_seen, created_at = columns
        return cls(
            trial_id=trial_id,
            rung=rung,
            accuracy=accuracy,
            images_seen=[int(found or 0) for found in images_seen],
            created_at=_moments(created_at),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainingBlock(Block):
    """Retrainings of trials; columns as in `RetrainingRecord`."""

    trial_id: Sequence[int]
    accuracy: Sequence[float | None]
    images_seen: Sequence[int]

    @classmethod
    def query(cls) -> Select[Any]:
        images = RetrainingRow.fidelity["images_seen"].as_integer()
        return select(RetrainingRow.trial_id, RetrainingRow.accuracy, images)

    @classmethod
    def of_rows(cls, columns: Sequence[Sequence[Any]]) -> Self:
        trial_id, accuracy, images_seen = columns
        return cls(trial_id=trial_id, accuracy=accuracy, images_seen=[int(found or 0) for found in images_seen])


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingBlock(Block):
    """Measurements of trials, without their samples; columns as in `MeasurementRecord`.

    Attributes:
        figures: of their summaries, by name (`FIGURES`), in milliseconds but for the ratio; NaN where there is none.
    """

    FIGURES: ClassVar = (
        "median_ms",
        "low_ms",
        "high_ms",
        "comparable_ms",
        "comparable_low_ms",
        "comparable_high_ms",
        "ratio_to_reference",
    )

    trial_id: Sequence[int]
    runner: Sequence[str]
    verdict: Sequence[str]
    created_at: Moments
    figures: Mapping[str, NDArray[np.float64]]

    @classmethod
    def query(cls) -> Select[Any]:
        return select(
            MeasurementRow.trial_id,
            MeasurementRow.runner,
            MeasurementRow.verdict,
            _as_stored(MeasurementRow.created_at),
            # The database finds them faster than a parser here would read all of a summary.
            *(MeasurementRow.summary[name].as_float() for name in cls.FIGURES),
        )

    @classmethod
    def of_rows(cls, columns: Sequence[Sequence[Any]]) -> Self:
        import numpy as np

        trial_id, runner, verdict, created_at, *figures = columns
        return cls(
            trial_id=trial_id,
            runner=runner,
            verdict=verdict,
            created_at=_moments(created_at),
            figures={
                name: np.array(values, dtype=np.float64) for name, values in zip(cls.FIGURES, figures, strict=True)
            },
        )


AnyBlock = TypeVar("AnyBlock", bound=Block)


def of_study(query: Select[Any], trial_id: InstrumentedAttribute[Any], study_id: int) -> Select[Any]:
    """Those rows of a block's query whose trials, named by `trial_id`, are of one study."""
    if trial_id.class_ is not TrialRow:
        query = query.join(TrialRow, TrialRow.id == trial_id)
    return query.where(TrialRow.study_id == study_id)


def read_blocks(session: Session, kind: type[AnyBlock], query: Select[Any]) -> Iterator[AnyBlock]:
    """What a block's query gives, in its order; in the transaction of the session, but past its objects."""
    connection = session.connection()
    if connection.dialect.name != "sqlite":  # which gives row by row anyway; a buffer of them would only take time
        query = query.execution_options(yield_per=_ROWS)
    for rows in connection.execute(query).partitions(_ROWS):
        yield kind.of_rows(list(zip(*rows, strict=True)))


def _as_stored(column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    """A time as the driver gives it: a text from SQLite, a datetime from PostgreSQL."""
    return type_coerce(column, String)


def _moments(values: Sequence[str | datetime | None]) -> Moments:
    import numpy as np

    told = ["NaT" if value is None else value for value in values]
    if set(map(type, told)) != {str}:
        told = [value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value for value in told]
    return np.array(told, dtype="datetime64[us]")


def _documents(texts: Sequence[str | None]) -> list[Json]:
    """JSON texts, parsed at once: that is a call for a block and not for a row."""
    return json.loads(f"[{','.join(text or 'null' for text in texts)}]")  # type: ignore[no-any-return]
