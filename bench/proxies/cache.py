"""Packed pictures: each is decoded once, into memory-mapped arrays that any number of processes share.

A pack is a folder named by the content address of its list (`Subset.hash`), made in a hidden folder beside
it and renamed when complete: a pack that can be seen is whole. A lock keeps a second writer waiting instead
of decoding the same; the kernel lets go of it when its holder is killed, and the next holder removes what
that one left.

    <cache>/<hash>/train_images.npy    uint8 (n, r, r, 3)
    <cache>/<hash>/train_labels.npy    int64 (n,)            and the same for val
    <cache>/<hash>/pack.json           classes, list of pictures, skipped pictures, resolution, version
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.proxies.packing import Progress, write_pack
from bench.proxies.subset import SPLITS, Source, Subset

try:
    import fcntl
except ImportError:  # not POSIX: concurrent writers decode the same twice, the rename keeps them apart
    fcntl = None  # type: ignore[assignment]

_SPARE_BYTES = 16 * 2**20  # for the lists, and so that a disk is not filled to its last block


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Pictures uint8 (n, r, r, 3), memory-mapped and read-only, and their labels."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedData:
    """A data set ready for training.

    Attributes:
        name: what it was made from, such as `imagenet:/data/imagenet`.
        hash: content address of classes, list of pictures, resolution and packing version.
        skipped: names of pictures that could not be read.
    """

    name: str
    hash: str
    resolution: int
    seed: int
    classes: tuple[str, ...]
    train: Split
    val: Split
    skipped: tuple[str, ...]
    path: Path = field(repr=False)

    def description(self) -> dict[str, object]:
        """What a score has to say about its data; JSON-able."""
        return {
            "data": self.name,
            "data_hash": self.hash,
            "data_seed": self.seed,
            "resolution": self.resolution,
            "classes": len(self.classes),
            "train_pictures": len(self.train.labels),
            "val_pictures": len(self.val.labels),
            "skipped_pictures": len(self.skipped),
        }


def pack(
    source: Source,
    subset: Subset,
    *,
    resolution: int,
    cache_dir: Path,
    progress: Progress | None = None,
    processes: int | None = None,
) -> str:
    """Packs the subset unless that was done before; returns its hash.

    Args:
        progress: called with (pictures done, pictures in all).
        processes: that decode; `None` takes all cores, 0 decodes in this process.

    Raises:
        DataError: more than 1 % of the pictures are unreadable, or the disk is full or not writable.
    """
    digest = subset.hash(resolution)
    if (cache_dir / digest).is_dir():
        return digest
    check_space(subset, resolution=resolution, cache_dir=cache_dir)
    with _writing(cache_dir), _lock(cache_dir / f".{digest}.lock") as is_locked:
        if is_locked:
            for leftover in cache_dir.glob(f".{digest}.part-*"):
                shutil.rmtree(leftover, ignore_errors=True)
        if (cache_dir / digest).is_dir():
            return digest
        part = Path(tempfile.mkdtemp(prefix=f".{digest}.part-", dir=cache_dir))
        try:
            write_pack(part, source, subset, resolution=resolution, progress=progress, processes=processes)
            _publish(part, cache_dir / digest)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return digest


def open_pack(cache_dir: Path, digest: str, *, name: str, seed: int) -> PackedData:
    """Maps a pack into memory; milliseconds."""
    path = cache_dir / digest
    try:
        about = json.loads((path / "pack.json").read_text())
        splits = [
            Split(
                images=np.load(path / f"{split}_images.npy", mmap_mode="r"),
                labels=np.load(path / f"{split}_labels.npy"),
            )
            for split in SPLITS
        ]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"packed data in {path} is damaged ({error}); it is made once and never changed; delete it"
        ) from error
    return PackedData(
        name=name,
        hash=digest,
        resolution=about["resolution"],
        seed=seed,
        classes=tuple(about["classes"]),
        train=splits[0],
        val=splits[1],
        skipped=tuple(entry["name"] for entry in about["skipped"]),
        path=path,
    )


def check_space(subset: Subset, *, resolution: int, cache_dir: Path) -> None:
    """Refuses to pack what cannot fit.

    Raises:
        DataError: the cache folder cannot be made or written, or has too little room.
    """
    num_pictures = len(subset.train) + len(subset.val)
    needed = num_pictures * (resolution * resolution * 3 + 8 + 200) + _SPARE_BYTES
    with _writing(cache_dir):
        cache_dir.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(cache_dir).free
    if not os.access(cache_dir, os.W_OK):
        raise DataError(f"cache folder {cache_dir} is not writable; it has to be; name another one")
    if free < needed:
        raise DataError(
            f"packing {num_pictures:,} pictures at {resolution} px needs {_megabytes(needed)}; {cache_dir} "
            "has "
            f"{_megabytes(free)} free; make room, ask for fewer pictures, or name another cache folder"
        )


def _publish(part: Path, target: Path) -> None:
    for path in part.iterdir():
        _sync(path)
    part.chmod(0o755)  # mkdtemp made it private; a cache may be shared
    try:
        part.rename(target)
    except OSError:
        if not target.is_dir():  # where nothing can be locked, another writer may have been first
            raise
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Waits for the lock; False where the file system or the platform has none."""
    with path.open("w") as file:
        is_locked = fcntl is not None
        if is_locked:
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                    raise
                is_locked = False
        yield is_locked


@contextmanager
def _writing(cache_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot write packed pictures to {cache_dir}: {error.strerror or error}; the folder must be "
            "writable and "
            "have room; make room or name another cache folder"
        ) from error


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.0f} MB"
