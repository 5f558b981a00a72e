"""The scores of a front that is trained again with fresh seeds: the writing half of a store for them."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select

from bench.errors import StoreError
from bench.store import queries
from bench.store.records import Json, RetrainingRecord
from bench.store.sessions import Sessions
from bench.store.tables import EventRow, RetrainingRow
from bench.store.transitions import printable

EVENT_KIND = "retraining"


class RetrainingStore(Sessions):
    """What a store does about retrainings."""

    _clock: Callable[[], datetime]

    def record_retraining(
        self,
        trial_id: int,
        *,
        seed: int,
        accuracy: float | None,
        fidelity: Json,
        seconds: float,
        reason: str | None = None,
    ) -> RetrainingRecord:
        """Keep the score of a trial trained again with a seed, once; without a score, the reason why it has none.

        A trial that is finished takes them: they come after the search.
        """
        if (accuracy is None) == (reason is None) or not math.isfinite(accuracy or 0.0) or not math.isfinite(seconds):
            raise StoreError(
                f"retraining with accuracy {accuracy} and reason {reason!r}; a finite score or a reason is needed; "
                "give one of them"
            )
        result = {"seed": seed, "accuracy": accuracy, "reason": printable(reason), "fidelity": fidelity}
        with self._writing() as session:
            trial = queries.trial_row(session, trial_id, lock=True)
            known = select(RetrainingRow.id).where(RetrainingRow.trial_id == trial_id, RetrainingRow.seed == seed)
            if session.scalar(known) is not None:
                raise StoreError(
                    f"trial {trial.label} was trained again with seed {seed} already; each seed has one result; "
                    "take another"
                )
            row = RetrainingRow(**result, trial_id=trial_id, seconds=seconds, created_at=self._clock())
            session.add(row)
            session.flush()
            data = {**result, "seconds": seconds, "retraining_id": row.id}
            event = EventRow(
                study_id=trial.study_id, trial_id=trial_id, kind=EVENT_KIND, data=data, created_at=self._clock()
            )
            session.add(event)
            session.flush()
            return queries.to_record(RetrainingRecord, row)
