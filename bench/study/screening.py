"""Skips hopeless candidates before they cost anything, where a rule bounds latency and the runner is calibrated.

A rule such as `latency_ms <= 15` reads the lowest latency that the runner's latency model thinks likely (the lower end
of its 90 % interval): only what is hopeless breaks it. Predictions decide nothing else and are never shown as
measured; every candidate that is tried is timed for real. The model is stored with the study, so that a study taken up
again turns down what it would have turned down.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from bench.errors import MeasureError, SearchError
from bench.fleet.remote_runner import is_local
from bench.measure import fingerprint
from bench.measure.catalogue import DEFAULT_RUNTIME, RUNTIMES
from bench.networks.cost import cost_quantities
from bench.space import Architecture, CostFunction, Space
from bench.store import Reader, Store
from bench.study.config import StudyConfig
from bench.study.constraints import latency_rules
from bench.study.timer import Timer

EVENT = "latency_model"
QUANTITY = "latency_ms"

# Of a measurement's fingerprint what belongs to its file and not to the runner.
_OF_A_FILE = ("export", "reference", "loaded")


def reads_latency(space: Space) -> bool:
    """Whether a rule of the space bounds latency."""
    return any(QUANTITY in rule.text for rule in space.conditions)


def screened(
    config: StudyConfig, space: Space, store: Reader, timers: Sequence[Timer], *, is_complete: bool
) -> tuple[Space, dict[str, Any] | None]:
    """The space of a new study with the latency model that its rules need, if any does.

    A constraint on latency needs none; where the runner is calibrated all the same, it becomes a rule too, so that what
    is hopeless is not built.

    Args:
        is_complete: the space has all its rules already, being that of another study.

    Raises:
        SearchError: as `fit_model`.
    """
    model = fit_model(config, space, store, timers)
    rules = latency_rules(config.constraints)
    if model is not None or is_complete or not rules or not timers:
        return space, model
    with contextlib.suppress(MeasureError):
        timer = timers[0]
        found = fitted(store, runner=timer.name, runtime=timer.runtime, threads=config.timing.threads)
        return space.with_rules(rules), {"model": found.model.to_dict(), "error": str(found.validation)}
    return space, None


def fit_model(config: StudyConfig, space: Space, store: Reader, timers: Sequence[Timer]) -> dict[str, Any] | None:
    """The latency model that the rules of a new study need, as plain data with its error; None where none does.

    Args:
        timers: the runners that the study times on; none where latency is no objective.

    Raises:
        SearchError: the runner is not calibrated, or there are several.
    """
    if not reads_latency(space):
        return None
    runner, runtime = _the_one(config, timers)
    try:
        found = fitted(store, runner=runner, runtime=runtime, threads=config.timing.threads)
    except MeasureError as error:
        raise SearchError(
            f"a rule reads latency_ms and {runner} is not calibrated ({error}); "
            f"run `bench calibrate {runner}` with this database first, or leave the rule out"
        ) from error
    return {"model": found.model.to_dict(), "error": str(found.validation)}


def fitted(store: Reader, *, runner: str, runtime: str, threads: int) -> Any:
    """The latency model of a runner with its error (`bench.predict.Calibration`), of all that the store holds of it.

    Raises:
        MeasureError: too few measurements.
    """
    from bench.predict import fit_from_store

    conditions = conditions_on(store, runner=runner, runtime=runtime, threads=threads)
    return fit_from_store(store, conditions, runner=runner)


def conditions_on(store: Reader, *, runner: str, runtime: str, threads: int) -> dict[str, Any]:
    """The fingerprint that measurements of a runner have as studies and calibrations make them.

    Of a registered runner only its last measurement tells, so of that it is.

    Raises:
        MeasureError: nothing was measured there in that way.
    """
    if is_local(runner):
        return plain_conditions(runner=runner, runtime=runtime, threads=threads)
    plain = _plain(runtime)
    for record in reversed(store.all_measurements(runner=runner, runtime=runtime, threads=threads)):
        found = record.fingerprint
        if record.summary and all(found.get(name) == value for name, value in plain.items()):
            return {name: value for name, value in found.items() if name not in _OF_A_FILE}
    raise MeasureError(
        f"nothing was measured on {runner!r} with {runtime} and {threads} threads; a model learns from that; measure "
        "there first"
    )


def plain_conditions(*, runner: str, runtime: str, threads: int) -> dict[str, Any]:
    """The fingerprint of measurements as studies and calibrations make them on this machine.

    Whoever times something pinned, in half precision or beside a reference of another setup makes other figures.
    """
    return {**fingerprint(runner=runner, runtime=runtime, threads=threads), **_plain(runtime)}


def _plain(runtime: str) -> dict[str, Any]:
    return {"precision": RUNTIMES[runtime].precisions[0], "channels_last": False, "options": {}, "cpus": None}


def _the_one(config: StudyConfig, timers: Sequence[Timer]) -> tuple[str, str]:
    """The runner whose latency a rule reads, and the runtime there."""
    timing, names = config.timing, config.timing.names
    if len(names) > 1:
        raise SearchError(
            f"a rule reads latency_ms and the study is timed on {', '.join(names)}; a latency model is of one runner; "
            "search with one of them, or leave the rule out"
        )
    if timers:
        return timers[0].name, timers[0].runtime
    if not is_local(timing.runner):
        raise SearchError(
            f"a rule reads latency_ms of {timing.runner!r} and latency is no objective; there it has to be one; "
            "add it, or leave the rule out"
        )
    return timing.runner, timing.runtime or DEFAULT_RUNTIME[timing.runner]


def keep_model(store: Store, study_id: int, model: Mapping[str, Any] | None) -> None:
    """Writes the model into the study's events."""
    if model is not None:
        store.record_event(study_id, EVENT, model)


def stored_model(store: Reader, study_id: int) -> dict[str, Any] | None:
    """The model that a study was begun with."""
    found = [event.data for event in store.events(study_id) if event.kind == EVENT]
    return dict(found[-1]) if found else None


def costs_with(model: Mapping[str, Any] | None) -> CostFunction:
    """What rules read: exact costs, and the lowest likely latency where there is a model."""
    if model is None:
        return cost_quantities
    from bench.predict import LatencyModel

    latency = LatencyModel.from_dict(model["model"])
    known: dict[str, float] = {}

    def costs(architecture: Architecture) -> Mapping[str, float]:
        if architecture.id not in known:
            known[architecture.id] = float(latency.predict([architecture]).low_ms[0])
        return {**cost_quantities(architecture), QUANTITY: known[architecture.id]}

    return costs
