"""The one file: is it what its sources say, and does it run where nothing else of this project is?"""

from __future__ import annotations

import ast
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command import ROOT

from bench.agent import VERSION
from bench.fleet.packing import main, pack
from bench.measure import JobArtifact
from bench.measure.child import Child
from bench.measure.restart import search_paths

LIMIT_S = 60.0
PACKED = ROOT / "runners" / "agent.py"

MakeOnnx = Callable[..., JobArtifact]


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """The file alone in a folder, as on a device."""
    path = tmp_path / "device" / "agent.py"
    path.parent.mkdir()
    shutil.copy(PACKED, path)
    return path


def run(path: Path, *words: str, flags: tuple[str, ...] = ("-I", "-S")) -> subprocess.CompletedProcess[str]:
    """-S: without installed packages."""
    return subprocess.run(
        [sys.executable, *flags, str(path), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        cwd=path.parent,
    )


def test_file_is_a_fresh_build() -> None:
    assert PACKED.read_text(encoding="ascii") == pack(), "run python -m bench.fleet.packing --out runners/agent.py"


def test_build_is_the_same_each_time_and_can_be_started(tmp_path: Path) -> None:
    main(["--out", str(tmp_path / "agent.py")])
    assert (tmp_path / "agent.py").read_bytes() == PACKED.read_bytes()
    assert (tmp_path / "agent.py").stat().st_mode & 0o111


def test_sources_stand_in_it_as_they_are() -> None:
    tree = ast.parse(PACKED.read_text(encoding="ascii"))
    found = {
        node.targets[0].slice.value: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript)
    }
    assert found["bench.agent.loop"] == (ROOT / "bench/agent/loop.py").read_text()
    assert found["bench.measure.worker"] == (ROOT / "bench/measure/worker.py").read_text()
    assert found["bench.measure"] == ""


def test_file_is_python_3_9_and_its_head_is_older() -> None:
    text = PACKED.read_text(encoding="ascii")
    ast.parse(text, feature_version=(3, 7))  # so that an older one can say what is needed


def test_source_that_cannot_be_quoted_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "bench", tmp_path / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    assert pack(tmp_path) == pack()
    (tmp_path / "bench/agent/log.py").write_text("x = '''text'''\n")
    with pytest.raises(ValueError, match=r"bench.agent.log has ''' in it"):
        pack(tmp_path)


def test_version_names_what_was_packed(device: Path) -> None:
    done = run(device, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    digest = done.stdout.split("(")[1][:12]
    assert done.stdout == f"bench-agent {VERSION} ({digest})\n"
    assert f'DIGEST = "{digest}' in PACKED.read_text()


def test_help_names_every_driver(device: Path) -> None:
    done = run(device, "--help")
    assert done.returncode == 0
    for word in ("local", "adb", "devicectl", "BENCH_ENROL", "--require-check"):
        assert word in done.stdout


@pytest.mark.parametrize("name", ["local", "adb", "devicectl"])
def test_every_driver_is_in_the_file(device: Path, name: str) -> None:
    code = (
        f"import runpy, sys; sys.argv = ['agent.py', '--version']\n"
        f"try: runpy.run_path({str(device)!r}, run_name='__main__')\n"
        f"except SystemExit: pass\n"
        f"import bench.agent.drivers.{name} as found\n"
        f"print(found.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{device}/bench/agent/drivers/{name}.py"


def test_doctor_tells_what_is_missing(device: Path) -> None:
    done = run(device, "--doctor", "--folder", str(device.parent / "none"))
    assert done.returncode == 0, done.stderr
    assert "runtime onnxruntime: onnxruntime is not installed: pip install onnxruntime" in done.stdout
    assert "enrolled here: none" in done.stdout


def test_doctor_tells_what_is_ready(device: Path) -> None:
    done = run(device, "--doctor", "--folder", str(device.parent / "none"), flags=())
    assert done.returncode == 0, done.stderr
    assert "runtime onnxruntime: ready, onnxruntime " in done.stdout
    assert "child processes: network: " in done.stdout


def test_error_in_the_file_names_its_module(device: Path) -> None:
    done = run(device, "--worker")
    assert done.returncode == 0, done.stderr  # the end of its input
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(device), "--worker"],
        input="no json\n",
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert f'File "{device}/bench/measure/worker.py", line ' in done.stderr


def worker(path: Path) -> Child:
    return Child([sys.executable, "-I", str(path), "--worker", "--isolated"])


def test_worker_in_the_file_looks_into_and_times_a_model(device: Path, convolution: MakeOnnx) -> None:
    artifact = convolution("a")
    told: dict[str, Any] = {
        "label": "a",
        "path": artifact.path,
        "format": "onnx",
        "sha256": artifact.sha256,
    }
    paths = [path for path in search_paths() if path != str(ROOT)]
    settings = {"runtime": "onnxruntime", "runner": "cpu", "threads": 1, "memory_mib": 16384, "paths": paths}
    with worker(device) as child:
        reply = child.ask("check", {"artifact": told, "memory_mib": 4096, "paths": paths}, limit_s=LIMIT_S)
        assert reply["details"]["operators"] == {"Conv": 1}
    with worker(device) as child:
        assert child.ask("start", settings, limit_s=LIMIT_S)["details"]["onnxruntime"]
        child.ask("load", {"artifact": told, "resolution": 16}, limit_s=LIMIT_S)
        samples = child.ask("time", {"label": "a", "iterations": 4}, limit_s=LIMIT_S)["samples"]
    assert len(samples) == 4


def test_digest_is_of_the_sources() -> None:
    scope: dict[str, Any] = {"__name__": "packed", "__file__": str(PACKED)}
    exec(compile(PACKED.read_text(), str(PACKED), "exec"), scope)  # noqa: S102  (our own file)
    digest = hashlib.sha256()
    for name, text in scope["SOURCES"].items():
        digest.update(f"{name}\0{len(text)}\0{text}".encode())
    assert digest.hexdigest() == scope["DIGEST"]
    assert json.dumps(sorted(scope["SOURCES"])) == json.dumps(list(scope["SOURCES"]))
