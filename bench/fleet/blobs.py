"""Files by their content: one file for each SHA-256, in a folder of the hub's user alone.

A file is written under a random name in the same folder, hashed on its way, and takes its place only if the hash is
the one that it was announced with; nothing of what a client sends becomes a path but 64 hex digits. Where space is
short the least recently used files make room, never one that a job waits for or that is being asked for.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import stat
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from bench.errors import FleetError
from bench.fleet.limits import Limits

_NAME = re.compile(r"[0-9a-f]{64}")
_PARTIAL = ".partial-"
# O_NOFOLLOW: a link that somebody put there must not lead anywhere.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class NoRoomError(FleetError):
    """The quota or the disk has no room for a file."""


class CrowdedError(NoRoomError):
    """There will be room for a file when uploads that are under way have ended."""


class WrongHashError(FleetError):
    """A file has another content than it was announced with."""


class BlobStore:
    """The files of one hub; for any thread.

    Args:
        folder: made where it is missing, mode 0700.
        limits: size of one file and of all.
        needed: every file that must stay; asked when space is short, under this store's lock.
    """

    def __init__(self, folder: Path, limits: Limits, *, needed: Callable[[], Collection[str]] = frozenset) -> None:
        self._folder = folder
        self._limits = limits
        self._needed = needed
        self._lock = threading.Lock()
        self._sizes: OrderedDict[str, int] = OrderedDict()  # the least recently used first
        self._pins: Counter[str] = Counter()
        self._reserved = 0
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._load()

    def size(self, sha256: str) -> int | None:
        """Bytes of a file; None where it is not here. Counts as a use."""
        with self._lock:
            size = self._sizes.get(sha256)
            if size is not None:
                self._sizes.move_to_end(sha256)
        if size is not None:
            with contextlib.suppress(OSError):
                os.utime(self._folder / sha256, follow_symlinks=False)  # the order outlives this process
        return size

    def missing(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of these files that are not here."""
        return tuple(sorted(name for name in set(names) if self.size(name) is None))

    @contextmanager
    def pinned(self, names: Collection[str]) -> Iterator[None]:
        """These files stay while a job that names them is on its way into the queue."""
        with self._lock:
            self._pins.update(names)
        try:
            yield
        finally:
            with self._lock:
                self._pins.subtract(names)
                self._pins += Counter()  # drops those that nobody pins any more

    def open(self, sha256: str) -> tuple[BinaryIO, int] | None:
        """A file to be read, and its size; None where it is not here. Whoever asks closes it."""
        if not _NAME.fullmatch(sha256) or self.size(sha256) is None:
            return None
        try:
            descriptor = os.open(self._folder / sha256, _READ)
        except OSError:
            self._forget(sha256)
            return None
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            self._forget(sha256)
            return None
        return os.fdopen(descriptor, "rb", buffering=0), found.st_size

    def upload(self, sha256: str, num_bytes: int) -> Upload:
        """A file that is about to come; room for it is kept until its upload is closed.

        Raises:
            CrowdedError: there is none until other uploads have ended.
            NoRoomError: there is none, whatever is thrown out.
        """
        assert _NAME.fullmatch(sha256), sha256
        self._reserve(num_bytes)
        try:
            return Upload(self, self._folder, sha256, num_bytes)
        except OSError as error:
            self._release(num_bytes)
            raise _disk_error(error) from error
        except BaseException:
            self._release(num_bytes)
            raise

    def _load(self) -> None:
        """What is there, and nothing that an upload left behind when its process was killed."""
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.startswith(_PARTIAL):
                    Path(entry.path).unlink()
                elif _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    told = entry.stat(follow_symlinks=False)
                    found.append((told.st_mtime_ns, entry.name, told.st_size))
        self._sizes.update((name, size) for _, name, size in sorted(found))

    def _reserve(self, num_bytes: int) -> None:
        most = self._limits.blobs_bytes
        with self._lock:
            free = most - sum(self._sizes.values()) - self._reserved
            # Asked under the lock: a job that comes now has pinned its files, or finds that they are gone.
            needed: Collection[str] = () if free >= num_bytes else frozenset(self._needed())
            going = []
            for name, size in self._sizes.items():
                if free >= num_bytes:
                    break
                if name not in needed and not self._pins[name]:
                    going.append(name)
                    free += size
            if free < num_bytes <= free + self._reserved:
                raise CrowdedError(
                    f"no room for {num_bytes} bytes while uploads of {self._reserved} bytes are under way; they end "
                    "soon; send it again"
                )
            if free < num_bytes:
                raise NoRoomError(
                    f"no room for {num_bytes} bytes among {most} that the hub may keep; what jobs wait for stays; "
                    "wait for jobs to end, or raise the quota"
                )
            for name in going:
                del self._sizes[name]
                (self._folder / name).unlink(missing_ok=True)
            self._reserved += num_bytes

    def _release(self, num_bytes: int) -> None:
        with self._lock:
            self._reserved -= num_bytes

    def _place(self, partial: Path, sha256: str, num_bytes: int) -> bool:
        """Puts a whole file in its place; whether it was not there before.

        In one step for whoever makes room: it would take away the new file for the old one of that name.
        """
        place = self._folder / sha256
        with self._lock:
            is_new = not place.exists()
            partial.replace(place)
            self._sizes[sha256] = num_bytes
            self._sizes.move_to_end(sha256)
        return is_new

    def _forget(self, sha256: str) -> None:
        """Somebody else took the file away, or put something else in its place."""
        with self._lock:
            self._sizes.pop(sha256, None)


class Upload:
    """A file that is coming; one that is not finished leaves nothing behind.

    Its methods may be called by different threads, and closing waits for a write that is under way.
    """

    def __init__(self, store: BlobStore, folder: Path, sha256: str, num_bytes: int) -> None:
        self._store = store
        self._partial = folder / f"{_PARTIAL}{secrets.token_hex(16)}"
        self._sha256, self._num_bytes = sha256, num_bytes
        self._digest = hashlib.sha256()
        self._written = 0
        self._lock = threading.Lock()
        self._file: BinaryIO | None = os.fdopen(os.open(self._partial, _WRITE, 0o600), "wb", buffering=0)

    def __enter__(self) -> Upload:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Removes what is not finished, and gives back the room that was kept; to be called once."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
                self._partial.unlink(missing_ok=True)
        self._store._release(self._num_bytes)

    def write(self, content: bytes) -> None:
        """The next part.

        Raises:
            WrongHashError: more than was announced.
            NoRoomError: the disk is full.
        """
        with self._lock:
            if self._file is None:
                return  # closed meanwhile: nobody wants it any more
            self._written += len(content)
            if self._written > self._num_bytes:
                raise WrongHashError(f"more than the {self._num_bytes} bytes that were announced; send those alone")
            self._digest.update(content)
            left = memoryview(content)
            try:
                while left:
                    left = left[self._file.write(left) :]
            except OSError as error:
                raise _disk_error(error) from error

    def finish(self) -> bool:
        """Puts the file in its place; whether it was not there before.

        Raises:
            WrongHashError: its content is another.
            NoRoomError: the disk is full.
        """
        with self._lock:
            assert self._file is not None
            found = self._digest.hexdigest()
            if found != self._sha256 or self._written != self._num_bytes:
                raise WrongHashError(
                    f"a file with SHA-256 {found} of {self._written} bytes; {self._sha256} of {self._num_bytes} bytes "
                    "was announced; hash it again, and send it under its own"
                )
            try:
                # A name must never stand for a content that a loss of power took away.
                os.fsync(self._file.fileno())
                is_new = self._store._place(self._partial, self._sha256, self._num_bytes)
            except OSError as error:
                raise _disk_error(error) from error
            self._file.close()
            self._file = None
        return is_new


def _disk_error(error: OSError) -> NoRoomError:
    what = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else f"{error.strerror or error}"
    return NoRoomError(f"the hub cannot keep the file ({what}); a disk with space is needed; free some, send it again")
