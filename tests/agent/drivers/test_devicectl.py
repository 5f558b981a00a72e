"""Up to the calls of coremltools: the driver and its child process are real, coremltools is written by hand here."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.agent.drivers import DriverError, devicectl_child
from bench.agent.drivers.devicectl import DevicectlDriver
from bench.errors import MeasureError
from bench.measure import Job, JobArtifact, Measurement
from bench.measure.catalogue import installed_version
from bench.measure.protocol import judged

SIDE = 8
LIMIT_S = 60.0
# Acts like coremltools on a Mac with one phone; a model's file is a name and its nanoseconds.
COREMLTOOLS = """
import asyncio, enum, json, types
from pathlib import Path
__version__ = "9.0"
class ComputeUnit(enum.Enum):
    ALL = 1
    CPU_ONLY = 2
def _spec(path):
    made = json.loads((Path(path) / "by_hand.json").read_text())
    array = types.SimpleNamespace(shape=made["shape"])
    one = lambda name: types.SimpleNamespace(name=name, type=types.SimpleNamespace(multiArrayType=array))
    return types.SimpleNamespace(description=types.SimpleNamespace(input=[one("image")], output=[one("logits")]))
utils = types.SimpleNamespace(load_spec=_spec)
"""
REMOTE_DEVICE = """
import enum, os
from dataclasses import dataclass, replace
class DeviceType(enum.Enum):
    IPHONE = "iphone"
    IPAD = "ipad"
@dataclass(frozen=True)
class AppSigningCredentials:
    development_team: str = ""
@dataclass(frozen=True)
class Device:
    name: str = "Somebody's phone"
    identifier: str = "ID-1"
    udid: str = "UDID-1"
    type: DeviceType = DeviceType.IPHONE
    os_version: str = "27.1"
    os_build_number: str = "24B1"
    is_ready: bool = False
    @staticmethod
    def get_connected_devices(kind):
        return [Device()] if kind is DeviceType.IPHONE else []
    async def prepare_for_model_debugging(self, credentials=None, working_directory=None):
        assert credentials.development_team == "TEAM1"
        assert working_directory.is_dir()
        print("building modelrunner")
        return replace(self, is_ready=True)
"""
ASYNC_WRAPPER = """
import json
from pathlib import Path
import numpy
class MLModelAsyncWrapper:
    @staticmethod
    def from_spec_or_path(spec_or_path, weights_dir, compute_units, device):
        assert device.is_ready and weights_dir == ""
        found = MLModelAsyncWrapper()
        found._made = json.loads((Path(spec_or_path) / "by_hand.json").read_text())
        return found
    async def load(self):
        self.load_duration_in_nano_seconds = 5_000_000
    async def predict(self, inputs):
        (picture,) = inputs.values()
        assert picture.shape == tuple(self._made["shape"]) and str(picture.dtype) == "float32"
        self.last_predict_duration_in_nano_seconds = self._made["ns"]
        return {"logits": numpy.array([self._made["output"]], numpy.float16)}
"""

Made = Callable[..., JobArtifact]


@pytest.fixture
def coremltools(tmp_path: Path) -> Path:
    """A folder to import it from."""
    folder = tmp_path / "packages"
    experimental = folder / "coremltools" / "models" / "ml_program" / "experimental"
    experimental.mkdir(parents=True)
    (folder / "coremltools" / "__init__.py").write_text(COREMLTOOLS)
    for parent in (experimental, experimental.parent, experimental.parent.parent):
        (parent / "__init__.py").write_text("")
    (experimental / "remote_device.py").write_text(REMOTE_DEVICE)
    (experimental / "async_wrapper.py").write_text(ASYNC_WRAPPER)
    about = folder / "coremltools-9.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: coremltools\nVersion: 9.0\n")
    return folder


@pytest.fixture
def package(tmp_path: Path) -> Made:
    """Makes an .mlpackage that takes so many nanoseconds."""

    def make(label: str, ns: int, output: tuple[float, ...] = (1.0, 2.0)) -> JobArtifact:
        path = tmp_path / f"{label}.mlpackage"
        path.mkdir()
        (path / "by_hand.json").write_text(json.dumps({"shape": [1, 3, SIDE, SIDE], "ns": ns, "output": output}))
        return JobArtifact(label=label, path=str(path), format="mlpackage", sha256="a" * 64, logits=(1.0, 2.0))

    return make


@pytest.fixture
def driver(coremltools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DevicectlDriver]:
    """Makes a driver as on a Mac; its child process finds the coremltools of above, and a home of its own."""
    monkeypatch.syspath_prepend(coremltools)

    def make(device: str = "ID-1") -> DevicectlDriver:
        home = f"import pwd, types; pwd.getpwuid = lambda uid: types.SimpleNamespace(pw_dir={str(tmp_path)!r})"
        prelude = f"import sys; sys.path.insert(0, {str(coremltools)!r}); {home}\n"
        first = "from __future__ import annotations\n"
        script = first + prelude + Path(devicectl_child.__file__).read_text().replace(first, "")
        command = (sys.executable, "-I", "-c", script, device, "TEAM1")
        return DevicectlDriver(device, team="TEAM1", system="Darwin", command=command)

    return make


def job_of(reference: JobArtifact, *artifacts: JobArtifact, **settings: Any) -> Job:
    usual = {"resolution": SIDE, "runner": "apple", "runtime": "coreml", "precision": "fp16", "twin": "never"}
    least = {"restarts": 1, "most_restarts": 1, "blocks": 2, "iterations": 2, "deadline_s": 30.0, "target": 10.0}
    return Job(artifacts=artifacts, reference=reference, **{**usual, **least, **settings})


def run(driver: DevicectlDriver, job: Job, *, is_cancelled: bool = False) -> tuple[Measurement, ...]:
    return driver.run(
        job, is_enough=lambda known: True, progress=lambda done, total: None, is_cancelled=lambda: is_cancelled
    )


def test_device_is_timed_and_flagged_as_idle(driver: Callable[..., DevicectlDriver], package: Made) -> None:
    # More of everything than half a second a run allows.
    job = job_of(package("reference", 1000), package("network", 3000), blocks=12, iterations=50, warmup_ms=5000.0)
    (found,) = run(driver(), job)
    assert found.reason is None
    assert found.samples == (((3000,) * 3,) * 4,)
    assert found.reference_samples == (((1000,) * 3,) * 4,)
    assert found.fingerprint["spacing"] == found.protocol["spacing"] == "idle"
    assert found.fingerprint["machine"] == {"system": "iOS", "type": "iphone", "os_version": "27.1", "build": "24B1"}
    assert "Somebody" not in json.dumps(found.to_dict())
    assert found.contended == ((False,) * 4,)
    assert found.protocol["output"] == {"is_checked": True, "errors": [0.0]}
    assert found.protocol["processes"][0]["load_ms"] == 5.0
    assert judged(found, target=10.0).reason == "but what else used the CPU is not told by this system"


def test_wrong_output_is_told(driver: Callable[..., DevicectlDriver], package: Made) -> None:
    (found,) = run(driver(), job_of(package("reference", 1000), package("network", 3000, (2.0, 1.0))))
    assert found.verdict == "wrong_output"


def test_device_that_is_not_connected_is_told_with_those_that_are(
    driver: Callable[..., DevicectlDriver], package: Made
) -> None:
    told = "0 connected devices are 'another'; connected: iphone with 27.1; name one"
    with pytest.raises(DriverError, match=told) as caught:
        run(driver("another"), job_of(package("reference", 1000), package("network", 3000)))
    assert caught.value.kind == "device_lost"


def test_reference_that_is_refused_is_no_result(driver: Callable[..., DevicectlDriver], package: Made) -> None:
    with pytest.raises(DriverError, match="the reference 'reference' failed: ") as caught:
        run(driver(), job_of(package("reference", 1000, (2.0, 1.0)), package("network", 3000)))
    assert caught.value.kind == "artifact_invalid"


def test_job_that_is_cancelled_ends_in_the_middle_of_a_step(
    driver: Callable[..., DevicectlDriver], package: Made, coremltools: Path
) -> None:
    """Building and starting the app may take minutes."""
    remote_device = coremltools / "coremltools" / "models" / "ml_program" / "experimental" / "remote_device.py"
    remote_device.write_text(REMOTE_DEVICE.replace('print("building modelrunner")', "import signal; signal.pause()"))
    begin = time.monotonic()
    with pytest.raises(DriverError, match=r"^cancelled$"):
        driver().run(
            job_of(package("reference", 1000), package("network", 3000)),
            is_enough=lambda known: True,
            progress=lambda done, total: None,
            is_cancelled=lambda: time.monotonic() - begin > 0.3,
        )
    assert time.monotonic() - begin < LIMIT_S


def test_cancelled_job_raises(driver: Callable[..., DevicectlDriver], package: Made) -> None:
    with pytest.raises(DriverError, match=r"^cancelled$"):
        run(driver(), job_of(package("reference", 1000), package("network", 3000)), is_cancelled=True)


def test_jobs_for_others_are_unsupported(driver: Callable[..., DevicectlDriver], tmp_path: Path) -> None:
    def made(label: str) -> JobArtifact:
        return JobArtifact(label=label, path=str(tmp_path / label), format="onnx", sha256="a" * 64)

    job = Job(artifacts=(made("network"),), reference=made("reference"), resolution=SIDE)
    with pytest.raises(DriverError, match=r"^'reference' is a onnx file for onnxruntime on 'cpu'; ") as caught:
        run(driver(), job)
    assert caught.value.kind == "unsupported"


def test_capabilities_say_that_the_device_idles(driver: Callable[..., DevicectlDriver]) -> None:
    found = driver().capabilities()
    assert (found["driver"], found["kind"], found["checks"]) == ("devicectl", "apple", [])
    assert found["device"] == {"system": "iOS", "spacing": "idle"}
    assert found["runtimes"]["coreml"]["formats"] == ["mlpackage"]


def test_other_systems_are_unsupported() -> None:
    with pytest.raises(DriverError, match=r"^this is Linux; coremltools reaches a device from macOS only; use a Mac$"):
        DevicectlDriver("ID-1", system="Linux").capabilities()


@pytest.mark.skipif(installed_version("coremltools") is not None, reason="coremltools is installed here")
def test_host_without_coremltools_is_unsupported() -> None:
    with pytest.raises(DriverError, match=r"^coremltools is not installed; .*; run pip install coremltools$") as caught:
        DevicectlDriver("ID-1", system="Darwin").capabilities()
    assert caught.value.kind == "unsupported"


def test_usual_command_is_the_whole_program(driver: Callable[..., DevicectlDriver]) -> None:
    command = DevicectlDriver("ID-1", team="TEAM1")._command
    assert command[:3] == (sys.executable, "-I", "-c")
    assert command[3:] == (Path(devicectl_child.__file__).read_text(), "ID-1", "TEAM1")


@pytest.mark.parametrize(("device", "team"), [("", ""), ("-x", ""), ("a\nb", ""), ("ID-1", "team; x")])
def test_names_that_cannot_be_are_refused(device: str, team: str) -> None:
    with pytest.raises(MeasureError, match=r"take them from `xcrun devicectl list devices` and from Xcode$"):
        DevicectlDriver(device, team=team)
