"""Real disks that are small or read-only: a mounted tmpfs where the tests may mount, else a skipped test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, *, num_kib: int) -> Iterator[Path]:
    """`folder` as a file system of its own with so much space."""
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={num_kib}k", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=10)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """`path`, a file or a folder, without permission to write; permissions do not bind root, mounts do."""
    if os.geteuid() != 0:
        mode = path.stat().st_mode
        path.chmod(mode & ~0o222)
        try:
            yield
        finally:
            path.chmod(mode)
        return
    _mount("--bind", str(path), str(path))
    try:
        _mount("-o", "remount,bind,ro", str(path))
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True, timeout=10)


def _mount(*arguments: str) -> None:
    try:
        subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True, timeout=10)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs a mount: {getattr(error, 'stderr', None) or error}".strip())
