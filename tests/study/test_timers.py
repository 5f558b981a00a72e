"""Which runners a study times on, found before anything is spent."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleet.hubs import served
from scripted import config_of

from bench.errors import FleetError, MeasureError
from bench.store import Store
from bench.study.timer import Timer
from bench.study.timers import find_timers, hub_of, times_here


def test_this_machines_need_no_hub(store: Store) -> None:
    config = config_of()
    with hub_of(config, store) as client:
        assert client is None
        (found,) = find_timers(config, client)
    assert found == Timer(name="cpu", kind="cpu", runtime="onnxruntime", is_remote=False, figure="latency_ms")
    assert (found.format, found.precision, found.reference_key(64)) == ("onnx", "fp32", "64")
    assert times_here(config)
    assert Timer.from_dict(found.to_dict()) == found


def test_a_study_without_latency_times_nowhere(store: Store) -> None:
    config = config_of(objectives=["accuracy", "macs"], timing={"runner": "pi5"})
    with hub_of(config, store) as client:
        assert client is None
        assert find_timers(config, client) == ()
    assert not times_here(config)


def test_several_runners_have_a_figure_each(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BENCH_HUB", "BENCH_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    config = config_of(timing={"runners": ["pi5", "cpu"]})
    with served(tmp_path, tmp_path / "bench.db") as hub:
        hub.enrol("pi5")
        with hub_of(config, store) as client:
            pi5, cpu = find_timers(config, client)
            with pytest.raises(MeasureError, match="has no runtime 'openvino'"):
                find_timers(config_of(timing={"runners": ["pi5", "cpu"], "runtime": "openvino"}), client)
    assert (pi5.is_remote, pi5.kind, pi5.figure, pi5.reference_key("64")) == (True, "cpu", "latency_ms:pi5", "64:pi5")
    assert (cpu.is_remote, cpu.figure) == (False, "latency_ms:cpu")
    assert times_here(config)
    assert not times_here(config_of(timing={"runner": "pi5"}))


def test_an_unknown_runner_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_HUB", raising=False)
    with pytest.raises(FleetError, match="unknown runner 'pi5'"), hub_of(config_of(timing={"runner": "pi5"}), store):
        pass
