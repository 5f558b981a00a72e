"""Files and folders that get their name when they are finished."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import ExportError

# What a folder must hold to be taken for an artifact that may be replaced.
_MARKS = ("Manifest.json", "metadata.json")


def check_target(path: Path, suffix: str) -> None:
    """Refuse a place that an artifact cannot go to, before any work is done.

    Raises:
        ExportError: another suffix, no such folder, or something else is there.
    """
    if path.suffix != suffix:
        raise ExportError(f"{path.name!r} ends in {path.suffix!r}; files of this format end in {suffix!r}; rename it")
    if not path.parent.is_dir():
        raise ExportError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir() and not any((path / mark).is_file() for mark in _MARKS):
        raise ExportError(f"{path} is a folder of something else; only an artifact is replaced; choose another name")


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """A place to write to; what lies there when the block ends without an error gets the name `path`.

    Files beside it (weights of an `.xml`) move to `path`'s folder before it does, and an old `path` goes first: what
    has the name always has its own weights.
    """
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial"))
    try:
        partial = folder / path.name
        yield partial
        beside = [entry for entry in folder.iterdir() if entry != partial]
        if path.is_dir():
            path.rename(folder / "replaced")
        elif beside:
            path.unlink(missing_ok=True)
        for entry in beside:
            entry.replace(path.parent / entry.name)
        partial.replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
