"""The same from Python: `bench.search(...)` runs a study, `bench.load_study(...)` reads one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.report.figure_names import bounded_names
from bench.report.figures import front_figure
from bench.report.rows import column_names, trial_row
from bench.report.views import StudyView, TrialView, study_view
from bench.store import Store, open_store

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A stored study as frames and figures."""

    view: StudyView
    db: str | None = None
    """Where it lies, for `bench.plots`; None: in the default place."""

    @property
    def name(self) -> str:
        """Of the study."""
        return self.view.study.name

    def front(self) -> pd.DataFrame:
        """The Pareto front, the cheapest first: one row a trial."""
        return self._frame(self.view.front)

    def trials(self) -> pd.DataFrame:
        """All trials by number, failed and stopped ones too."""
        return self._frame(self.view.trials)

    def figure(self) -> Figure:
        """The front as a Plotly figure."""
        return front_figure(self.view)

    def _frame(self, trials: Sequence[TrialView]) -> pd.DataFrame:
        names = column_names(self.view.latencies, self.view.score_name, bounded_names(self.view.study))
        return pd.DataFrame([trial_row(trial) for trial in trials], columns=names)


def search(
    space: str = "fastvit",
    *,
    budget: int = 24,
    name: str | None = None,
    db: str | Path | None = None,
    rules: Sequence[str] = (),
    **settings: Any,
) -> Study:
    """Searches a space and gives the finished study.

    Args:
        space: name or path of a space.
        budget: distinct architectures to try.
        name: of the study; made from space and time by default.
        db: database; `results/bench.db` by default.
        rules: such as `["macs_g <= 1.5"]`.
        settings: those of a settings file; sections are mappings, `proxy={"images": 4000}`.

    Raises:
        BenchError: as the command line would print it.
    """
    from bench.study.config import StudyConfig
    from bench.study.search import start

    config = StudyConfig.from_dict({"space": space, "budget": budget, "rules": list(rules), **settings})
    with open_store(db) as store:
        study = start(config, store, name=name)
        return _study(store, study.name, db)


def resume(name: str, *, db: str | Path | None = None) -> Study:
    """Goes on with an interrupted study and gives it finished; errors as for `search`."""
    from bench.study import search as studies

    with open_store(db) as store:
        study = studies.resume(store, name)
        return _study(store, study.name, db)


def repeat(original: str, *, name: str | None = None, db: str | Path | None = None) -> Study:
    """Runs a stored study again under a new name, from its database alone; errors as for `search`."""
    from bench.study import search as studies

    with open_store(db) as store:
        study = studies.repeat(store, original, name=name)
        return _study(store, study.name, db)


def load_study(name: str, *, db: str | Path | None = None) -> Study:
    """Reads a stored study.

    Raises:
        StoreError: no such database or study.
    """
    with open_store(db, read_only=True) as store:
        return _study(store, name, db)


def _study(store: Store, name: str, db: str | Path | None) -> Study:
    return Study(view=study_view(store, name), db=None if db is None else str(db))
