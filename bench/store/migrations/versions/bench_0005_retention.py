"""How long the fleet's large parts are kept: size of a job, when its result was fetched, when both were cleared."""

import sqlalchemy as sa
from alembic import op

revision = "bench_0005"
down_revision = "bench_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("num_bytes", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("jobs", sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_jobs_cleared_at_finished_at", "jobs", ["cleared_at", "finished_at"])
    op.create_index("ix_attempts_runner_id_fence", "attempts", ["runner_id", "fence"])
