"""Writes one pack: decodes a subset on all cores, stacks the pictures into .npy files in their order."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.proxies.decoding import Batch, decoders, num_cores
from bench.proxies.subset import PACKING_VERSION, SPLITS, Picture, Source, Subset

Progress = Callable[[int, int], None]

MAX_UNREADABLE = 0.01
_REQUEST = 64  # pictures decoded at a time: a second of work at most, well above the cost of a message


def write_pack(
    part: Path,
    source: Source,
    subset: Subset,
    *,
    resolution: int,
    progress: Progress | None,
    processes: int | None,
) -> None:
    """Fills the folder `part`.

    Args:
        progress: called with (pictures done, pictures in all).
        processes: that decode; `None` takes all cores, 0 decodes in this process.

    Raises:
        DataError: more than `MAX_UNREADABLE` of the pictures are unreadable; known as soon as it is certain.
    """
    pictures = (*subset.train, *subset.val)
    requests = {split: list(_requests(getattr(subset, split))) for split in SPLITS}
    num_requests = sum(map(len, requests.values()))
    workers = min(num_cores(), num_requests) if processes is None else processes
    tally = _Tally(source.label, len(pictures), progress)
    with decoders(source, resolution, processes=workers) as run:
        for split in SPLITS:
            names = [[picture.name for picture in request] for request in requests[split]]
            with _Stack(part / f"{split}_images.npy", resolution) as stack:
                labels: list[int] = []
                for request, batch in zip(requests[split], run(names), strict=True):
                    stack.append(batch.images)
                    left_out = tally.add(request, batch)
                    labels += (p.label for i, p in enumerate(request) if i not in left_out)
            np.save(part / f"{split}_labels.npy", np.array(labels, dtype=np.int64))
    about = {
        "packing_version": PACKING_VERSION,
        "hash": subset.hash(resolution),
        "source": source.label,
        "resolution": resolution,
        "classes": subset.classes,
        "skipped": [{"name": name, "reason": reason} for name, reason in tally.skipped],
    }
    lists = {"train": subset.train, "val": subset.val}
    (part / "pack.json").write_text(json.dumps(about))
    (part / "pictures.json").write_text(json.dumps(lists, separators=(",", ":")))


def _requests(pictures: Sequence[Picture]) -> Iterator[tuple[Picture, ...]]:
    for start in range(0, len(pictures), _REQUEST):
        yield tuple(pictures[start : start + _REQUEST])


class _Tally:
    """Counts what was decoded and what was not, and ends the packing when too much was not."""

    def __init__(self, source: str, total: int, progress: Progress | None) -> None:
        self.skipped: list[tuple[str, str]] = []
        self._source, self._total, self._progress = source, total, progress
        self._done = 0

    def add(self, request: Sequence[Picture], batch: Batch) -> frozenset[int]:
        """Counts one batch; returns the positions in the request that were left out."""
        self.skipped += ((request[position].name, reason) for position, reason in batch.unreadable)
        self._done += len(request)
        if len(self.skipped) > MAX_UNREADABLE * self._total:
            first = "; ".join(f"{name} ({reason})" for name, reason in self.skipped[:3])
            raise DataError(
                f"{len(self.skipped)} of the first {self._done:,} pictures of {self._source} are unreadable, "
                f"such as {first}; at most {MAX_UNREADABLE:.0%} of {self._total:,} may be; replace or "
                "remove them"
            )
        if self._progress is not None:
            self._progress(self._done, self._total)
        return frozenset(position for position, _ in batch.unreadable)


class _Stack:
    """A .npy file of pictures that grows; its length is written when it is closed.

    Plain writes and not a memory map, because a map on a full disk ends the process with SIGBUS.
    """

    def __init__(self, path: Path, resolution: int) -> None:
        self._shape = (resolution, resolution, 3)
        self._count = 0
        self._file: IO[bytes] = path.open("wb")

    def __enter__(self) -> _Stack:
        self._file.write(self._header())
        return self

    def append(self, images: NDArray[np.uint8]) -> None:
        self._file.write(images.tobytes())
        self._count += len(images)

    def __exit__(self, *_: object) -> None:
        with self._file as file:
            file.seek(0)
            file.write(self._header())

    def _header(self) -> bytes:
        # numpy leaves room for the first axis to grow, so a header's length does not depend on the count.
        buffer = io.BytesIO()
        about = {"descr": "|u1", "fortran_order": False, "shape": (self._count, *self._shape)}
        np.lib.format.write_array_header_1_0(buffer, about)
        return buffer.getvalue()
