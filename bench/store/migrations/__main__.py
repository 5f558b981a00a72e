"""Writes the migration from the newest revision to the tables as they are now.

    python -m bench.store.migrations "add energy to measurements"

Read what it wrote, then set `HEAD` in schema.py to the new revision; the tests hold them together.
"""

from __future__ import annotations

import sys

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from bench.store.schema import PREFIX, alembic_config


def write_revision(message: str) -> None:
    """Compare the tables with an empty database that was migrated to the newest revision."""
    with create_engine("sqlite://").begin() as connection:
        config = alembic_config(connection)
        num_revisions = len(list(ScriptDirectory.from_config(config).walk_revisions()))
        command.upgrade(config, "head")
        revision = f"{PREFIX}{num_revisions + 1:04d}"
        command.revision(config, message, autogenerate=True, rev_id=revision)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write_revision(sys.argv[1])
