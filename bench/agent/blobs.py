"""The files of a lease on this device: fetched by their sha256, hashed again before each use, gone after it.

Names are hashes, and the folder is this agent's alone. What an artifact computes is its owner's business, so nothing is
kept once a lease is over, unless whoever started the agent set some space aside for files that come again, such as the
reference.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bench.agent.artifact_files import FOLDER_FORMATS, BlobFile, stored_name
from bench.agent.failure import DriverError
from bench.agent.files import private_folder
from bench.agent.transport import Hub, HubError
from bench.measure.job import Job, JobArtifact

_CHUNK = 1 << 20
# Left to everything else on the disk.
_LEAST_FREE = 256 << 20
# Attempts at one file before it is asked whether the lease still lives.
_ATTEMPTS = 3
_LONGEST_MANIFEST = 64 << 10
_PARTIAL = ".part"


class BlobCache:
    """One folder of files, each named by its sha256."""

    def __init__(self, folder: Path, *, keep_bytes: int = 0) -> None:
        """Takes the folder over, and throws out what a killed agent left in it.

        Args:
            folder: is made where it is missing.
            keep_bytes: that may stay after a lease; the least recently used go first.

        Raises:
            MeasureError: the folder cannot be used.
        """
        self.folder = private_folder(folder)
        self._keep_bytes = keep_bytes
        # The latest last; of what an earlier agent kept nothing is known.
        self._used: dict[str, int] = {}
        for path in self.folder.iterdir():
            _remove(path)

    def gather(
        self, hub: Hub, job: Job, files: Mapping[str, Sequence[BlobFile]], *, is_cancelled: Callable[[], bool]
    ) -> None:
        """Has every file of `job` at its place, with the content that its hash names.

        Raises:
            DriverError: the hub does not give one, the disk is full, or it was cancelled.
        """
        wanted = {item.sha256: item for found in files.values() for item in found}
        try:
            missing = [item for item in wanted.values() if not self._has(item)]
            self._make_room(sum(item.num_bytes for item in missing), keep=wanted)
            for item in missing:
                self._fetch(hub, item, is_cancelled)
            for artifact in (job.reference, *job.artifacts):
                if artifact.format in FOLDER_FORMATS:
                    self._assemble(artifact, files[artifact.label])
        except OSError as error:
            raise DriverError("unhealthy", f"the device's disk fails: {error.strerror}") from error
        for sha256, item in wanted.items():
            self._used.pop(sha256, None)
            self._used[sha256] = item.num_bytes

    def clear(self) -> None:
        """After a lease: removes all but the most recently used files that may stay."""
        left = self._keep_bytes
        kept = set()
        for sha256, size in reversed(tuple(self._used.items())):
            left -= size
            if left < 0:
                break
            kept.add(sha256)
        self._used = {sha256: size for sha256, size in self._used.items() if sha256 in kept}
        with contextlib.suppress(OSError):  # a folder that is gone holds nothing
            for path in self.folder.iterdir():
                if path.name not in kept:
                    _remove(path)

    def _has(self, item: BlobFile) -> bool:
        """Whether the file lies here, whole and unchanged; another one of its name is removed."""
        path, digest = self.folder / item.sha256, hashlib.sha256()
        with contextlib.suppress(OSError):
            for chunk in _read_chunks(path):
                digest.update(chunk)
            if digest.hexdigest() == item.sha256:
                return True
        _remove(path)
        return False

    def _make_room(self, num_bytes: int, *, keep: Mapping[str, BlobFile]) -> None:
        for sha256 in [name for name in self._used if name not in keep]:
            if self._free_bytes() - num_bytes >= _LEAST_FREE:
                return
            del self._used[sha256]
            _remove(self.folder / sha256)
        free = self._free_bytes()
        if free - num_bytes < _LEAST_FREE:
            raise DriverError(
                "unhealthy",
                f"{free >> 20} MiB are free on the device's disk; the job's {num_bytes >> 20} MiB and "
                f"{_LEAST_FREE >> 20} MiB are needed; free some",
            )

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self.folder).free

    def _fetch(self, hub: Hub, item: BlobFile, is_cancelled: Callable[[], bool]) -> None:
        partial = self.folder / f"{item.sha256}{_PARTIAL}"
        path = f"/v1/blobs/sha256/{item.sha256}"
        while not is_cancelled():
            try:
                reply = hub.request("GET", path, stream_to=partial, limit=item.num_bytes, attempts=_ATTEMPTS)
            except HubError as error:
                if error.is_passing:
                    continue  # for as long as the lease lives
                raise DriverError("unhealthy", f"file {item.sha256} could not be fetched: {error}") from error
            if reply.sha256 != item.sha256 or partial.stat().st_size != item.num_bytes:
                _remove(partial)
                raise DriverError("unhealthy", f"the hub gave something else for file {item.sha256}; it is not used")
            partial.replace(self.folder / item.sha256)
            return
        raise DriverError("unhealthy", "cancelled while its files were fetched")

    def _assemble(self, artifact: JobArtifact, files: Sequence[BlobFile]) -> None:
        """Makes the folder of an artifact out of its files, each hashed once more on the way."""
        folder = self.folder / stored_name(artifact.format, artifact.sha256)
        _remove(folder)
        for item in files:
            target = folder / item.name
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            digest = hashlib.sha256()
            with target.open("xb") as copy:
                for chunk in _read_chunks(self.folder / item.sha256):
                    digest.update(chunk)
                    copy.write(chunk)
            if digest.hexdigest() != item.sha256:
                raise DriverError("unhealthy", f"file {item.sha256} changed on the device's disk; check the disk")
        if artifact.format == "mlpackage":
            _check_manifest(folder / "Manifest.json")


def _check_manifest(path: Path) -> None:
    """It may point at the hashed files only."""
    allowed = {"com.apple.CoreML/model.mlmodel", "com.apple.CoreML/weights"}
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_MANIFEST)
        named = {entry["path"] for entry in json.loads(content)["itemInfoEntries"].values()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        named = {"no entries that can be read"}
    if not named <= allowed:
        raise DriverError(
            "artifact_invalid",
            f"the manifest names {ascii(sorted(map(str, named)))[:100]}; {', '.join(sorted(allowed))} are allowed; "
            "export it again",
        )


def _read_chunks(path: Path) -> Iterator[bytes]:
    """The content of a plain file; a link or a device is an OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path.name} is no plain file")
        while True:
            chunk = file.read(_CHUNK)
            if not chunk:
                return
            yield chunk


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
