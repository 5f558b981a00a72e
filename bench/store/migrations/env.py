"""What Alembic runs for each command, on the connection and in the transaction that it was given."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy.types import TypeDecorator

from bench.store.tables import Base


def render_plain(kind: str, thing: Any, _context: AutogenContext) -> str | Literal[False]:
    """Write our column types as what they are in the database: a migration must not change when they do."""
    if kind == "type" and isinstance(thing, TypeDecorator):
        return f"sa.{thing.impl_instance!r}"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite cannot alter most things in place: Alembic copies the table.
    render_as_batch=True,
    render_item=render_plain,
)
with context.begin_transaction():
    context.run_migrations()
