"""Starts a study, or takes one up again, and sees it to its end."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import MeasureError, SearchError
from bench.fleet.client import HubClient
from bench.measure import exclusive, fingerprint
from bench.proxies.data_spec import absolute_spec
from bench.space import Space, load_space, parse_space
from bench.store import Store, StudyRecord, driver_folder, study_folder
from bench.study import runner
from bench.study.config import StudyConfig
from bench.study.constraints import rules_of
from bench.study.inherited import keep_to, settled
from bench.study.naming import checked_name, new_folder, new_name
from bench.study.objectives import study_objectives
from bench.study.preflight import Checked, check
from bench.study.preparation import Progress, pack_data, reference_artifacts, worst_corner
from bench.study.provenance import git_revision, provenance, refuse_other_machine, versions
from bench.study.remote import Remote
from bench.study.retraining import with_seeds
from bench.study.screening import costs_with, keep_model, screened, stored_model
from bench.study.session import Listener, Session
from bench.study.timer import Timer
from bench.study.timers import find_timers, hub_of, time_on, times_here
from bench.study.timing import References
from bench.study.untrained import EVENT, ZERO_COST_AT_SIZE, study_standards, take_over_standards
from bench.study.warm_start import EarlierSearch, earlier_searches, keep_earlier, keep_if_lost, kept_earlier

Announce = Callable[[str], None]

# A dashboard that looks whether a study is run holds its lock for some microseconds.
_LOOKED_AT_S = 0.1
_CORNER = "the reference point of the hypervolume"


def start(
    config: StudyConfig,
    store: Store,
    *,
    name: str | None = None,
    space: Space | None = None,
    like: StudyRecord | None = None,
    earlier: Sequence[EarlierSearch] | None = None,
    announce: Announce | None = None,
    listener: Listener | None = None,
    progress: Progress | None = None,
) -> StudyRecord:
    """Runs a new study to its end and gives its record.

    Args:
        config: the settings.
        store: an open store.
        name: of the study; None makes one of space and time.
        space: with all rules, instead of the one that `config` names.
        like: a study whose milliseconds and worst corner hold here too; None: its own are measured first.
        earlier: what other studies have found; None: those that the settings name are read.
        announce: is told the study's name once it stands in the store: from then on it can be resumed.
        listener: hears every event.
        progress: is told what is prepared before the first trial: what, done, total.

    Raises:
        BenchError: it cannot start, or cannot go on; what was recorded stays and can be resumed.
    """
    name = checked_name(name or new_name(config), store)
    config = replace(config, data=replace(config.data, source=absolute_spec(config.data.source)))
    folder = new_folder(config, store, name)
    study_objectives(config)  # a name that is none is told before a hub is looked for
    is_given = space is not None
    space = space or load_space(config.space).with_rules(rules_of(config))
    config = settled(config, space)
    earlier = earlier_searches(config, space, store) if earlier is None else earlier
    with hub_of(config, store) as client:
        way = _Way(timers=find_timers(config, client), client=client)
        space, model = screened(config, space, store, way.timers, is_complete=is_given)
        checked = check(config, folder, space=space, costs=costs_with(model))
        config, study = _created(config, checked, store, name, folder)
        keep_model(store, study.id, model)
        keep_earlier(store, study.id, earlier)
        if like is not None:
            corner, milliseconds = like.hypervolume_reference, like.reference_ms
            study = store.set_hypervolume_reference(study.id, corner, reference_ms=milliseconds)
            store.record_event(study.id, "like", {"study": like.name})
            take_over_standards(store, study, like)
        return _run(study, config, checked, store, way, announce, listener, progress)


def _created(
    config: StudyConfig, checked: Checked, store: Store, name: str, folder: Path
) -> tuple[StudyConfig, StudyRecord]:
    """The study in the store, and its settings as they stand there."""
    # Resolved now, so that a study that goes on trains as it began.
    config = with_seeds(config)
    execution = replace(config.execution, threads=checked.threads, device=checked.device)
    if store.location.path is None or config.execution.folder:
        execution = replace(execution, folder=str(folder))
    config = replace(config, execution=execution)
    study = store.create_study(
        name,
        config=config.to_dict(),
        space_name=checked.space.name,
        space_text=checked.space.text,
        space_hash=checked.space.hash,
        objectives=_directions(config),
        hypervolume_reference={},
        seed=config.seed,
        versions=versions(),
        git_revision=git_revision(),
        fingerprint=dict(fingerprint()),
    )
    return config, study


def resume(
    store: Store,
    name: str,
    *,
    announce: Announce | None = None,
    listener: Listener | None = None,
    progress: Progress | None = None,
    execution: Mapping[str, Any] | None = None,
) -> StudyRecord:
    """Goes on with a study that was interrupted, from what the store holds.

    Args:
        store: an open store.
        name: of the study.
        announce, listener, progress: as for `start`.
        execution: `concurrency` and `ray_address` where they differ now.

    Raises:
        SearchError: the study is complete, runs elsewhere, or began on another machine.
        BenchError: as for `start`.
    """
    study = store.study(name)
    if study.status == "complete":
        raise SearchError(
            f"study {name!r} is complete; only unfinished studies go on; start one with --name and a new name"
        )
    stored = dict(study.config)
    config = StudyConfig.from_dict({**stored, "execution": {**stored["execution"], **(execution or {})}})
    if times_here(config):
        refuse_other_machine(name, study.fingerprint)
    space = parse_space(study.space_text, source=f"space of study {name!r}")
    costs = costs_with(stored_model(store, study.id))
    with hub_of(config, store) as client:
        way = _Way(timers=find_timers(config, client), client=client)
        checked = check(config, study_folder(store, study), space=space, costs=costs)
        keep_if_lost(store, study, config, space)
        return _run(study, config, checked, store, way, announce, listener, progress, is_resumed=True)


def repeat(
    store: Store,
    original: str,
    *,
    name: str | None = None,
    announce: Announce | None = None,
    listener: Listener | None = None,
    progress: Progress | None = None,
) -> StudyRecord:
    """Runs a stored study again, from the settings and the space that the database holds; errors as for `start`."""
    study = store.study(original)
    config = StudyConfig.from_dict(study.config)
    config = replace(config, execution=replace(config.execution, folder=None))
    space = parse_space(study.space_text, source=f"space of study {original!r}")
    earlier = kept_earlier(store, study.id)
    shown: dict[str, Any] = {"announce": announce, "listener": listener, "progress": progress}
    return start(config, store, name=name, space=space, earlier=earlier, **shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """To where candidates are timed: the runners, and the hub that leads to those that are not of this machine."""

    timers: tuple[Timer, ...]
    client: HubClient | None

    def remote(
        self, study: StudyRecord, config: StudyConfig, references: References, folder: Path
    ) -> contextlib.AbstractContextManager[Remote | None]:
        """What sends candidates there while the study runs; None where nothing is sent."""
        if self.client is None:
            return contextlib.nullcontext()
        return Remote(self.client, study, config, self.timers, references, folder)


def _run(
    study: StudyRecord,
    config: StudyConfig,
    checked: Checked,
    store: Store,
    way: _Way,
    announce: Announce | None,
    listener: Listener | None,
    progress: Progress | None,
    *,
    is_resumed: bool = False,
) -> StudyRecord:
    report = progress or (lambda what, done, total: None)
    tell = partial(_tell_corner, report)
    folder = study_folder(store, study)
    with _only_driver(folder, study.name):
        if announce is not None:
            announce(study.name)
        if is_resumed:
            store.set_study_status(study.id, "running")
            store.record_event(study.id, "resumed", provenance())
        try:
            keep_to(store, study, config)
            hashes = pack_data(config, checked.resolutions, report)
            report(_CORNER, 0, 1)
            references = reference_artifacts(config, checked.resolutions, folder, way.timers)
            if not study.hypervolume_reference:
                corner, reference_ms = worst_corner(
                    config,
                    checked.largest,
                    references,
                    folder,
                    way.timers,
                    time=lambda timer, job: time_on(timer, job, way.client, tell),
                )
                study = store.set_hypervolume_reference(study.id, corner, reference_ms=reference_ms)
            report(_CORNER, 1, 1)
            costs = costs_with(stored_model(store, study.id))
            standards = study_standards(store, study, config, checked.space, costs, report)
            with way.remote(study, config, references, folder) as remote:
                session = Session(
                    store,
                    study,
                    config,
                    checked.space,
                    folder,
                    concurrency=checked.concurrency,
                    threads=checked.threads,
                    device=checked.device,
                    timers=way.timers,
                    references=references,
                    data_hashes=hashes,
                    listener=listener or (lambda session, kind, data: None),
                    costs=costs,
                    remote=remote,
                    standards=standards.get(EVENT),
                    size_standards=standards.get(ZERO_COST_AT_SIZE),
                )
                if not session.is_done:
                    runner.run(
                        session,
                        concurrency=checked.concurrency,
                        ray_address=config.execution.ray_address,
                        uses_gpu=checked.device == "cuda",
                    )
                record = session.finish()
        except BaseException as error:
            _mark_interrupted(store, study, error)
            raise
    shutil.rmtree(folder / "artifacts", ignore_errors=True)
    return record


def _tell_corner(report: Progress, text: str) -> None:
    """What is waited for while the worst corner is measured."""
    report(f"{_CORNER}, {text}", 0, 1)


@contextlib.contextmanager
def _only_driver(folder: Path, name: str) -> Iterator[None]:
    """One process at a time runs a study; the kernel lets go of the lock when it dies."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(exclusive(driver_folder(folder), timeout_s=_LOOKED_AT_S))
        except MeasureError as error:
            raise SearchError(
                f"study {name!r} is being run by another process; one at a time; wait for it, or end it first"
            ) from error
        yield


def _mark_interrupted(store: Store, study: StudyRecord, error: BaseException) -> None:
    reason = "interrupted by the user" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
    try:
        store.set_study_status(study.id, "interrupted", reason=reason[:500])
    except Exception:
        # The store itself is what failed; its own error is on its way to the user.
        return


def _directions(config: StudyConfig) -> dict[str, str]:
    return {objective.name: "maximize" if objective.maximise else "minimize" for objective in study_objectives(config)}
