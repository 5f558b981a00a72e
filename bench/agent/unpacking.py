"""The worker of the one-file agent as files: started from these, a child does not read all of the agent each time.

A job starts two children that look into its files and one for each restart. Each of them would parse the whole
agent and compile what it needs of it, where files are compiled once.
"""

from __future__ import annotations

import importlib.util
import py_compile
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.agent.files import private_folder, write_private
from bench.errors import MeasureError
from bench.measure.child import ISOLATED_WORKER

_WORKER = "bench.measure.worker"
_BESIDE = ("bench.measure.isolation",)
_BELOW = ("bench.measure.checks.", "bench.measure.runtimes.")


def isolated_worker(folder: Path) -> tuple[str, ...]:
    """The command of an isolated worker; out of the one-file agent, its files are laid into `folder` anew.

    Args:
        folder: of this agent alone; what was in it is gone.

    Raises:
        MeasureError: the folder cannot be used, or the disk is full.
    """
    spec = importlib.util.find_spec(_WORKER)
    packed: Callable[[], Sequence[str]] | None = getattr(spec.loader, "names", None) if spec is not None else None
    if packed is None:  # its files are there already
        return ISOLATED_WORKER
    try:
        shutil.rmtree(folder, ignore_errors=True)
        for name in packed():
            if name in (_WORKER, *_BESIDE) or name.startswith(_BELOW):
                _lay(name, folder)
    except OSError as error:
        raise MeasureError(
            f"cannot use the folder {str(folder)!r} ({error.strerror}); a writable one is needed; give --folder"
        ) from error
    return (sys.executable, "-I", str(folder / "worker.py"), "--isolated")


def _lay(name: str, folder: Path) -> None:
    """One source, below `folder` as it is below bench/measure, and compiled."""
    found = importlib.util.find_spec(name)
    assert found is not None  # a name of its own
    loader = found.loader
    path = folder.joinpath(*name.split(".")[2:]).with_suffix(".py")
    private_folder(path.parent)
    write_private(path, loader.get_source(name).encode("ascii"), is_lasting=False)  # type: ignore[union-attr]
    py_compile.compile(str(path), doraise=True)
