"""The worker laid out as files: the same as the packed one, whole each time, and nobody else's to change."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command import ROOT

from bench.agent.unpacking import isolated_worker
from bench.measure import JobArtifact
from bench.measure.child import ISOLATED_WORKER, Child, RefusedError
from bench.measure.restart import entry, search_paths

LIMIT_S = 60.0
PACKED = ROOT / "runners" / "agent.py"
# What the one file does when it runs, and then its own function.
LAY_OUT = """
import runpy, sys
from pathlib import Path
sys.argv = ["agent.py", "--version"]
try:
    runpy.run_path({packed!r}, run_name="__main__")
except SystemExit:
    pass
from bench.agent.unpacking import isolated_worker
from bench.errors import MeasureError
try:
    print(*isolated_worker(Path({folder!r})), sep="\\n")
except MeasureError as error:
    print("error:", error)
"""

MakeArtifact = Callable[..., JobArtifact]


def laid_out(folder: Path) -> list[str]:
    code = LAY_OUT.format(packed=str(PACKED), folder=str(folder))
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[1:]


def test_installed_worker_stays_where_it_is(tmp_path: Path) -> None:
    assert isolated_worker(tmp_path / "worker") == ISOLATED_WORKER
    assert not (tmp_path / "worker").exists()


def test_files_are_the_sources_and_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "worker"
    assert laid_out(folder)[1:] == ["-I", str(folder / "worker.py"), "--isolated"]
    found = {path.relative_to(folder) for path in folder.rglob("*.py")}
    measure = ROOT / "bench" / "measure"
    below = {
        path.relative_to(measure) for name in ("checks", "runtimes") for path in (measure / name).glob("[a-z]*.py")
    }
    assert found == below | {Path("worker.py"), Path("isolation.py")}
    for name in found:
        assert (folder / name).read_text() == (measure / name).read_text()
    for path in (folder, *folder.rglob("*")):
        assert not path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH), path


def test_what_lay_there_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "worker"
    laid_out(folder)
    (folder / "worker.py").write_text("raise SystemExit(3)\n")
    (folder / "checks" / "json.py").write_text("raise SystemExit(3)\n")
    laid_out(folder)
    assert (folder / "worker.py").read_text() == (ROOT / "bench/measure/worker.py").read_text()
    assert not (folder / "checks" / "json.py").exists()


def test_folder_that_cannot_be_used_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (told,) = laid_out(tmp_path / "file" / "worker")
    assert told.startswith("error: cannot use the folder")


@pytest.mark.skipif(sys.platform != "linux", reason="the worker's isolation is Linux's")
def test_worker_of_the_files_checks_and_is_isolated(tmp_path: Path, convolution: MakeArtifact) -> None:
    pytest.importorskip("onnx")
    command = laid_out(tmp_path / "worker")
    artifact = convolution()
    with Child(command) as child:
        request = {"artifact": entry(artifact), "memory_mib": 4096, "work_s": LIMIT_S, "paths": search_paths()}
        assert child.ask("check", request, limit_s=LIMIT_S)["details"]
        wrong = {**request, "artifact": {**entry(artifact), "sha256": "0" * 64}}
        with pytest.raises(RefusedError, match="sha256"):
            child.ask("check", wrong, limit_s=LIMIT_S)
