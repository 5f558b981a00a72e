"""Skips hopeless candidates before they cost anything, where a rule bounds latency and the runner is calibrated.

A rule such as `latency_ms <= 15` reads the lowest latency that the runner's latency model thinks likely (the lower end
of its 90 % interval): only what is hopeless breaks it. Predictions decide nothing else and are never shown as
measured; every candidate that is tried is timed for real. The model is stored with the study, so that a study taken up
again turns down what it would have turned down.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.errors import MeasureError, SearchError
from bench.measure import fingerprint
from bench.networks.cost import cost_quantities
from bench.space import Architecture, CostFunction, Space
from bench.store import Reader, Store
from bench.study.config import StudyConfig
from bench.study.timing import runtime_of

EVENT = "latency_model"
QUANTITY = "latency_ms"


def reads_latency(space: Space) -> bool:
    """Whether a rule of the space bounds latency."""
    return any(QUANTITY in rule.text for rule in space.conditions)


def fit_model(config: StudyConfig, space: Space, store: Reader) -> dict[str, Any] | None:
    """The latency model that the rules of a new study need, as plain data with its error; None where none does.

    Raises:
        SearchError: the runner is not calibrated.
    """
    if not reads_latency(space):
        return None
    timing = config.timing
    try:
        found = fitted(store, runner=timing.runner, runtime=runtime_of(config), threads=timing.threads)
    except MeasureError as error:
        raise SearchError(
            f"a rule reads latency_ms and {timing.runner} is not calibrated ({error}); "
            f"run `bench calibrate {timing.runner}` with this database first, or leave the rule out"
        ) from error
    return {"model": found.model.to_dict(), "error": str(found.validation)}


def fitted(store: Reader, *, runner: str, runtime: str, threads: int) -> Any:
    """The latency model of a runner with its error (`bench.predict.Calibration`), of all that the store holds of it.

    Raises:
        MeasureError: too few measurements.
    """
    from bench.predict import fit_from_store

    return fit_from_store(store, plain_conditions(runner=runner, runtime=runtime, threads=threads))


def plain_conditions(*, runner: str, runtime: str, threads: int) -> dict[str, Any]:
    """The fingerprint of measurements as studies and calibrations make them on this machine.

    Whoever times something pinned, in half precision or beside a reference of another setup makes other figures.
    """
    return {
        **fingerprint(runner=runner, runtime=runtime, threads=threads),
        "precision": "fp32",
        "channels_last": False,
        "options": {},
        "cpus": None,
    }


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
