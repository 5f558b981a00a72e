from __future__ import annotations

import dataclasses
import getpass
import json
import platform
import sys

import pytest

from bench.measure.catalogue import RUNTIMES
from bench.measure.doctor import examine, runtime_state

from .processes import NAME, busy


def test_report_is_plain_and_complete() -> None:
    report = examine(seconds=0.1)
    data = report.to_dict()
    assert json.loads(json.dumps(data))["runtimes"][0]["name"] == report.runtimes[0].name
    assert [state.name for state in report.runtimes] == list(RUNTIMES)
    assert report.devices[0].runner == "cpu"
    assert report.window.seconds >= 0.1
    assert report.fit in ("yes", "yes, with care", "no")
    text = json.dumps(data)
    assert platform.node() not in text.split('"')
    assert getpass.getuser() not in text.split('"')


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_busy_neighbour_is_named() -> None:
    with busy() as spinner:
        spinner.begin("spin(1000)")
        # A niced test on a busy machine may hardly let it run: look again.
        for _ in range(50):
            check = next(check for check in examine(seconds=0.2).checks if check.name == "other work")
            if NAME in check.finding and check.status != "ok":
                break
        assert NAME in check.finding
        assert check.status in ("warn", "bad")


def test_runtime_that_is_there() -> None:
    state = runtime_state(RUNTIMES["onnxruntime"])
    assert (state.status, state.need, state.command) == ("ready", None, None)
    assert state.runners == ("cpu",)
    assert state.versions["onnxruntime"]


def test_missing_runtime_comes_with_its_command() -> None:
    state = runtime_state(dataclasses.replace(RUNTIMES["litert"], name="abacus", packages=("no-such-package",)))
    assert state.status == "missing"
    assert state.need == "no-such-package is not installed"
    assert state.command == "pip install 'bench[litert]'"
    assert state.runners == ()


def test_lesser_lack_is_named_beside_a_runtime_that_works() -> None:
    runtime = dataclasses.replace(RUNTIMES["onnxruntime"], packages=("onnxruntime", "no-such-package"))
    state = runtime_state(runtime)
    assert (state.status, state.need) == ("ready", "without no-such-package")
    assert state.command == "pip install onnxruntime"


def test_runtime_of_another_system() -> None:
    state = runtime_state(dataclasses.replace(RUNTIMES["coreml"], systems=("Plan9", "Darwin9")))
    assert (state.status, state.need, state.command) == ("elsewhere", "needs Plan9 or Darwin9", None)
    if platform.system() != "Darwin":
        assert runtime_state(RUNTIMES["coreml"]).need == "needs macOS"


def test_runtime_of_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    state = runtime_state(RUNTIMES["torch-cudagraph"])
    assert (state.status, state.need, state.command) == ("elsewhere", "needs an NVIDIA GPU", None)
    assert "cuda" not in runtime_state(RUNTIMES["torch"]).runners


def test_compiling_runtime_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    state = runtime_state(RUNTIMES["torch-compile"])
    assert (state.status, state.need) == ("missing", "needs the compiler no-such-compiler")
    assert state.command is not None
    assert runtime_state(RUNTIMES["torch"]).status == "ready"
