"""Column types of the store, equal on SQLite and PostgreSQL: UTC times, JSON and compressed JSON."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from bench.store.records import Json


def to_json(value: object) -> str:
    """Compact JSON in the order of the keys; NaN and infinity are refused, as JSON has no words for them."""
    return json.dumps(value, default=_plain, allow_nan=False, separators=(",", ":"))


def _plain(value: object) -> object:
    # Frozen records hold mappings that are no dicts (MappingProxyType and the like).
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} {value!r} is no JSON value")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware times, kept as UTC; SQLite has no time zones and stores them naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class JsonPoints(TypeDecorator[tuple[Json, ...]]):
    """A JSON array of objects, read back as a tuple."""

    impl = JSON
    cache_ok = True

    def process_result_value(self, value: Any, _dialect: Dialect) -> tuple[Json, ...] | None:
        return None if value is None else tuple(value)


class JsonTexts(TypeDecorator[tuple[str, ...]]):
    """A JSON array of texts, read back as a tuple."""

    impl = JSON
    cache_ok = True

    def process_result_value(self, value: Any, _dialect: Dialect) -> tuple[str, ...] | None:
        return None if value is None else tuple(value)


class CompressedJson(TypeDecorator[Json]):
    """JSON in zlib: raw samples are long rows of similar integers and shrink to about a third."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Json | None, _dialect: Dialect) -> bytes | None:
        return None if value is None else zlib.compress(to_json(value).encode())

    def process_result_value(self, value: bytes | None, _dialect: Dialect) -> Json | None:
        if value is None:
            return None
        read: Json = json.loads(zlib.decompress(value))
        return read
