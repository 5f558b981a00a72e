"""Latencies that compare across sessions: what the reference took, and which measurements were made together."""

import sqlalchemy as sa
from alembic import op

revision = "bench_0002"
down_revision = "bench_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("studies", sa.Column("reference_ms", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("measurements", sa.Column("label", sa.Text(), nullable=True))
    op.add_column("measurements", sa.Column("session", sa.String(length=32), nullable=True))
    op.create_index("ix_measurements_session", "measurements", ["session"])
