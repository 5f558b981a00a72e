"""Retrainings: scores of a study's front at the highest fidelity, a fresh seed each; a failed one has its reason."""

import sqlalchemy as sa
from alembic import op

revision = "bench_0006"
down_revision = "bench_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retrainings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("accuracy", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("fidelity", sa.JSON(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name="fk_retrainings_trial_id"),
        sa.PrimaryKeyConstraint("id", name="pk_retrainings"),
        sa.UniqueConstraint("trial_id", "seed", name="uq_retrainings_trial_id_seed"),
    )
