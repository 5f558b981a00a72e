"""A latency model of a registered runner: learned from what was measured there, as this machine's is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fleet.devices import device, each
from fleet.hubs import served
from scripted import config_of, latency_ms

from bench.errors import MeasureError, SearchError
from bench.measure.job import Job
from bench.space import Architecture, load_space
from bench.store import Store
from bench.study.calibrating import calibrate
from bench.study.conditions import registered_runners
from bench.study.screening import conditions_on, fit_model
from bench.study.timer import Timer

PI5 = Timer(name="pi5", kind="cpu", runtime="onnxruntime", is_remote=True, figure="latency_ms")
# What a fingerprint of the device's own code holds.
FINGERPRINT = {
    "machine": {"cpu": "Cortex-A76"},
    "runner": "cpu",
    "runtime": "onnxruntime",
    "threads": 1,
    "precision": "fp32",
    "channels_last": False,
    "options": {},
    "cpus": None,
    "reference": {"setup": "onnxruntime", "resolution": 64},
    "loaded": None,
}


def as_scripted(job: Job) -> list[dict[str, Any]]:
    networks = {artifact.label: Architecture.from_dict(artifact.architecture or {}) for artifact in job.artifacts}
    ns = {label: round(1e6 * latency_ms(network)) for label, network in networks.items()}
    found = each(job, ns, reference_ns=4_000_000, twin_ns=(4_000_000,) * job.blocks)
    for document, artifact in zip(found, job.artifacts, strict=True):
        document["fingerprint"] = dict(FINGERPRINT)
        document["protocol"] |= {"form": "deploy", "architecture": artifact.architecture}
    return found


@pytest.mark.slow
def test_a_registered_runner_is_calibrated_once(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BENCH_HUB", "BENCH_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    space = load_space("smoke").with_rules(["latency_ms <= 100"])
    config = config_of(timing={"runner": "pi5"})
    with pytest.raises(SearchError, match=r"pi5 is not calibrated .*run `bench calibrate pi5`"):
        fit_model(config, space, store, (PI5,))
    with (
        served(tmp_path, tmp_path / "bench.db") as hub,
        device(hub, "pi5", as_scripted) as runner,
        registered_runners(("pi5",), str(hub.db)) as found,
    ):
        for _ in range(2):
            known = calibrate(store, load_space("smoke"), runner="pi5", registered=found["pi5"], count=12)
        assert sum(len(job.artifacts) for job in runner.jobs) == 12  # the second time nothing is missing
    assert len(known.model) == 12
    conditions = conditions_on(store, runner="pi5", runtime="onnxruntime", threads=1)
    assert conditions == {name: value for name, value in FINGERPRINT.items() if name not in ("reference", "loaded")}
    model = fit_model(config, space, store, (PI5,))
    assert model is not None
    assert fit_model(config, load_space("smoke"), store, (PI5,)) is None


def test_a_rule_on_latency_is_about_one_runner(store: Store) -> None:
    space = load_space("smoke").with_rules(["latency_ms <= 100"])
    both = (replace(PI5, figure="latency_ms:pi5"), replace(PI5, name="pixel8", figure="latency_ms:pixel8"))
    with pytest.raises(SearchError, match="the study is timed on pi5, pixel8; a latency model is of one runner"):
        fit_model(config_of(timing={"runners": ["pi5", "pixel8"]}), space, store, both)
    exact = config_of(objectives=["accuracy", "macs"], timing={"runner": "pi5"})
    with pytest.raises(SearchError, match="latency is no objective; there it has to be one"):
        fit_model(exact, space, store, ())
    with pytest.raises(MeasureError, match="nothing was measured on 'pi5' with onnxruntime"):
        conditions_on(store, runner="pi5", runtime="onnxruntime", threads=1)
