"""Files that only their owner may read: tokens, and what is kept of a lease; written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from bench.errors import MeasureError

# O_NOFOLLOW: a link that somebody put there must not lead anywhere.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def private_folder(path: Path) -> Path:
    """The folder, made where it is missing, closed to others.

    Raises:
        MeasureError: it cannot be made, belongs to somebody else, or others may write there.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except OSError as error:
        raise MeasureError(
            f"cannot use the folder {str(path)!r} ({error.strerror}); a writable one is needed; give --folder"
        ) from error
    if found.st_uid != os.geteuid() or found.st_mode & _OTHERS_WRITE:
        raise MeasureError(
            f"others can write to {str(path)!r}; a folder of your own is needed; run chmod 700, or give --folder"
        )
    return path


def write_private(path: Path, content: bytes, *, is_lasting: bool = True) -> None:
    """Puts `content` at `path`, readable by its owner alone; a reader sees all of it or what was there before.

    Args:
        path: in a folder of our own.
        is_lasting: waits until the disk has it, so that it outlives a loss of power too.

    Raises:
        MeasureError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.unlink(missing_ok=True)  # of a process that had this id and died
        with os.fdopen(os.open(partial, _WRITE, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            if is_lasting:
                os.fsync(file.fileno())
        partial.replace(path)
        if is_lasting:
            _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise MeasureError(
            f"cannot write {str(path)!r} ({error.strerror}); a writable disk with space is needed; give --folder"
        ) from error


def read_private(path: Path, *, limit: int) -> bytes | None:
    """The content of `path`; None where there is nothing.

    Raises:
        MeasureError: it is a link or no plain file, belongs to others or is open to them, or has over `limit` bytes.
    """
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MeasureError(
            f"cannot read {str(path)!r} ({error.strerror}); a plain file of your own is needed; register this again"
        ) from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & _OTHERS:
        os.close(descriptor)
        raise MeasureError(
            f"{str(path)!r} is not a plain file that you alone may read; mode 600 is needed; run chmod 600 on it"
        )
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise MeasureError(f"{str(path)!r} has over {limit} bytes; at most these are read; remove it")
    return content


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
