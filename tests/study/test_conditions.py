"""Where models are timed outside a study: on this machine, or on a registered runner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet.devices import device
from fleet.hubs import Served, served
from fleet.packages import packed

from bench.errors import FleetError, MeasureError
from bench.store.fleet import open_fleet
from bench.study.conditions import Conditions, registered_runners


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    for name in ("BENCH_HUB", "BENCH_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    open_fleet(tmp_path / "bench.db").close()
    with served(tmp_path, tmp_path / "bench.db") as running:
        yield running


def test_this_machines_runners_need_nothing() -> None:
    with registered_runners(("cpu", "cuda", "apple"), "nowhere/bench.db") as found:
        assert found == {}
    place = Conditions()
    assert place.kind == "cpu"
    assert place.circumstances()["runtime"] == "onnxruntime"


def test_a_registered_runner_is_a_place_with_its_own_runtimes(hub: Served, tmp_path: Path) -> None:
    words: list[str] = []
    with device(hub, "pi5"), registered_runners(("pi5", "cpu", "pi5"), str(hub.db)) as found:
        assert set(found) == {"pi5"}
        # CPUs of the device are not this machine's to count.
        place = Conditions(runner="pi5", registered=found["pi5"], cpus=(40,))
        assert place.kind == "cpu"
        assert [setup.name for setup in place.setups()] == ["onnxruntime"]
        told = place.circumstances()
        assert (told["runner"], told["kind"], told["device"]) == ("pi5", "cpu", {"cpu": "Cortex-X3"})
        assert told["versions"] == {"onnxruntime": "1.23.2"}
        json.dumps(told)
        job = packed(tmp_path / "files", b"network")
        (measurement,) = place.time(job, progress=None, announce=words.append)
        with pytest.raises(MeasureError, match="runner 'pi5' has no runtime 'litert'"):
            Conditions(runner="pi5", registered=found["pi5"], runtimes=("litert",)).setups()
    assert (measurement.runner, measurement.device_kind, measurement.verdict) == ("pi5", "pi5", "valid")
    assert set(words) <= {"waiting for a turn on pi5", "pi5 measures"}


def test_one_in_quarantine_is_for_tests(hub: Served) -> None:
    agent = hub.enrol("pi5")
    hub.admin.post(f"/v1/runners/{agent.id}/quarantine", {"reason": "it lies"})
    with pytest.raises(FleetError, match="is quarantined"), registered_runners(("pi5",), str(hub.db)):
        pass
    with registered_runners(("pi5",), str(hub.db), is_test=True) as found:
        assert found["pi5"].runner.name == "pi5"
