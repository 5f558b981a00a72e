from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from bench.measure import Measurement
from bench.measure.verdict import judge, misplaced, steady_drift

from .test_measurement import MEASUREMENT

CALM = {"contention": None, "throttling": None}
RESTARTS, BLOCKS, RUNS = 6, 4, 9


def session(
    *,
    ratio_noise: float = 0.001,
    twin: float = 1.0,
    drift: float = 0.0,
    contended: tuple[bool, ...] = (False,) * BLOCKS,
    restarts: int = RESTARTS,
) -> Measurement:
    """Six quiet processes of 10 ms each, except for what is asked for."""
    random = np.random.default_rng(0)
    trend = np.exp(np.linspace(0, drift, restarts * BLOCKS)).reshape(restarts, BLOCKS, 1)

    def samples(factor: float, noise: float) -> Any:
        own = random.normal(0, noise, (restarts, BLOCKS, 1)) + random.normal(0, 0.001, (restarts, BLOCKS, RUNS))
        values = (1e7 * factor * trend * np.exp(own)).astype(int)
        return tuple(tuple(tuple(int(run) for run in block) for block in process) for process in values)

    return dataclasses.replace(
        MEASUREMENT,
        samples=samples(1.2, ratio_noise),
        reference_samples=samples(1.0, 0.0005),
        twin_samples=samples(twin, 0.0005),
        contended=(contended,) * restarts,
        protocol={},
    )


def verdict_of(measurement: Measurement, windows: Any = (CALM,) * 12, details: Any = None) -> tuple[str, str | None]:
    protocol = {**measurement.protocol, "health": [list(windows)], **(details or {})}
    return judge(dataclasses.replace(measurement, protocol=protocol), target=0.01)


def test_quiet_session_is_valid() -> None:
    assert verdict_of(session()) == ("valid", None)


def test_wide_interval_has_not_converged() -> None:
    verdict, reason = verdict_of(session(ratio_noise=0.1))
    assert verdict == "not_converged"
    assert "aimed at were 1 %, after 6 restarts" in (reason or "")


def test_reference_that_differs_from_itself_is_noise() -> None:
    assert verdict_of(session(twin=1.03)) == ("noisy", "the reference timed twice differs from itself by 3.0 %")


def test_session_is_contended_where_too_few_clean_blocks_are_left() -> None:
    busy = {"contention": "others used 90 % of a core", "throttling": None}
    verdict = verdict_of(session(contended=(True, True, True, False)), [busy, CALM])
    assert verdict == ("contended", "others used 90 % of a core (18 of 24 blocks)")
    # Two clean blocks in each process are enough.
    assert verdict_of(session(contended=(True, True, False, False)), [busy, CALM])[0] == "valid"


def test_device_that_slows_itself_down_is_throttled() -> None:
    hot = {"contention": None, "throttling": "the GPU was too hot"}
    assert verdict_of(session(), [hot, CALM])[0] == "throttled"
    assert verdict_of(session(), [hot, *(CALM,) * 9])[0] == "valid"  # once in ten stretches is an accident
    verdict, reason = verdict_of(session(drift=0.3, restarts=12))
    assert verdict == "throttled"
    assert "steadily slower, by 3" in (reason or "")
    assert steady_drift(session(drift=-0.3, restarts=12)) is None  # becoming faster is no throttling
    assert steady_drift(session(drift=0.3)) is None  # six processes are too few to tell a drift from luck


def test_drift_is_not_seen_where_processes_are_only_lucky() -> None:
    random = np.random.default_rng(1)
    seen = 0
    for _ in range(100):
        luck = np.exp(random.normal(0, 0.07, 12))
        measurement = session(restarts=12)
        slowed = tuple(
            tuple(tuple(round(run * factor) for run in block) for block in process)
            for process, factor in zip(measurement.reference_samples, luck, strict=True)
        )
        seen += steady_drift(dataclasses.replace(measurement, reference_samples=slowed)) is not None
    assert seen <= 3


def test_missing_restarts_are_no_precision() -> None:
    short = session(restarts=2)
    verdict, reason = verdict_of(dataclasses.replace(short, protocol={"restarts": 6}))
    assert verdict == "not_converged"
    assert "2 restarts of at least 6 before the time was over" in (reason or "")


def test_a_disturbed_restart_is_left_aside_where_enough_others_are_clean() -> None:
    measurement = session(restarts=7)
    flags = ((True,) * BLOCKS, *((False,) * BLOCKS,) * 6)
    busy = {"contention": "others used 90 % of a core", "throttling": None}
    spoilt = dataclasses.replace(measurement, contended=flags, protocol={"restarts": 6})
    assert verdict_of(spoilt, [busy, CALM])[0] == "valid"
    assert verdict_of(dataclasses.replace(spoilt, protocol={"restarts": 7}), [busy, CALM])[0] == "contended"


def test_lost_twin_is_noise() -> None:
    lost = dataclasses.replace(session(), twin_samples=((),) * 6, protocol={"twin": "always"})
    assert verdict_of(lost)[0] == "noisy"
    assert verdict_of(dataclasses.replace(lost, protocol={"twin": "never"}))[0] == "valid"


def test_a_system_that_tells_nothing_is_named() -> None:
    blind = {**CALM, "others": None}
    assert verdict_of(session(), [blind]) == ("valid", "but what else used the CPU is not told by this system")


def test_what_comes_first_is_told() -> None:
    hot = {"contention": "others", "throttling": "too hot"}
    details = {"placement": {"CUDA": 10, "CPU": 2}, "wanted_placement": "CUDA"}
    measurement = session(contended=(True,) * BLOCKS, ratio_noise=0.1)
    assert verdict_of(measurement, [hot], details) == ("partial_placement", "10 operators ran on CUDA, 2 on CPU")
    assert verdict_of(measurement, [hot])[0] == "throttled"
    assert verdict_of(measurement, [{**hot, "throttling": None}])[0] == "contended"


def test_placement_that_is_not_told_is_not_judged() -> None:
    assert misplaced({"placement": "unknown", "wanted_placement": "CUDA"}) is None
    assert misplaced({}) is None
    assert misplaced({"placement": {"CUDA": 3}, "wanted_placement": "CUDA"}) is None
