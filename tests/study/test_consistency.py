"""Figures that may stand on one front."""

from __future__ import annotations

from pathlib import Path

from scripted import add_study, config_of, run_study

from bench.store import Store
from bench.study.consistency import Consistency

PI5 = {
    "runner": "pi5",
    "fingerprint": {"machine": {"cpu": "Cortex-A76"}, "reference": {"setup": "x", "resolution": 64}},
}
FIDELITY = {"data_hash": "a", "classes": 2, "precision": "fp32", "device": "cpu", "threads": 1, "resolution": 64}


def changed(measurement: dict[str, object], **fields: object) -> dict[str, object]:
    fingerprint = measurement["fingerprint"]
    assert isinstance(fingerprint, dict)
    return {**measurement, "fingerprint": {**fingerprint, **fields}}


def test_the_first_of_each_runner_decides(store: Store) -> None:
    found = Consistency(store, add_study(store, config_of()), {})
    assert found.timing_fault(PI5) is None
    assert found.timing_fault(changed(PI5, reference={"setup": "x", "resolution": 96})) is None
    assert found.timing_fault({**changed(PI5, machine={"cpu": "Cortex-X3"}), "runner": "pixel8"}) is None
    fault = found.timing_fault(changed(PI5, machine={"cpu": "Cortex-A72"}))
    assert fault == ("timed under other conditions than the trials before: machine.cpu: 'Cortex-A76' and 'Cortex-A72'")


def test_the_first_of_each_rung_decides(store: Store) -> None:
    found = Consistency(store, add_study(store, config_of()), {})
    assert found.score_fault(FIDELITY, 0) is None
    assert found.score_fault({**FIDELITY, "threads": 2}, 1) is None
    assert found.score_fault({**FIDELITY, "threads": 2}, 0) == (
        "trained at another fidelity than the trials before: threads: 1 and 2"
    )


def test_what_the_store_holds_decides_before_that(store: Store, tmp_path: Path) -> None:
    run_study(store, tmp_path, budget=2)
    found = Consistency(store, store.study("scripted"), {})
    assert found.timing_fault({"runner": "cpu", "fingerprint": {"machine": {"cpu": "another CPU"}}}) is not None
    assert found.timing_fault({"runner": "cpu", "fingerprint": {"machine": {"cpu": "a scripted CPU"}}}) is None
