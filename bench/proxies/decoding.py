"""Decodes pictures to small uint8 arrays, on all cores.

Worker processes, not threads: Pillow lets go of the interpreter lock only inside the decoder and the
resizer. Measured on 2 cores (2026, Pillow 13): 500 x 375 JPEGs 650 a second in one process, 1,030 with two
threads, 1,140 with two processes; 32 x 32 JPEGs 3,270, 3,520 and 6,670.

The workers are plain child processes that answer pickled requests on stdin with pickled replies on stdout,
not a `ProcessPoolExecutor`: that one imports the user's main module again in every worker, which costs
seconds where it imports torch, fails in a script without a `__main__` guard, and is forbidden in daemonic
processes. A worker whose parent is killed reads the end of its stdin and ends.
"""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import IO, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from bench.errors import DataError

_PACKAGE_PARENT = Path(__file__).resolve().parents[2]
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Unreadable(NamedTuple):
    """Why a picture could not be decoded; `may_pass` where its file could not be read, which may be otherwise later."""

    reason: str
    may_pass: bool = False


Decoded = NDArray[np.uint8] | Unreadable


class Reader(Protocol):
    """What a worker needs of a source."""

    def read(self, names: Sequence[str], resolution: int) -> Iterator[Decoded]:
        """One array (resolution, resolution, 3) or the reason for none, for each name."""


class Batch(NamedTuple):
    """The decoded pictures of one request, and `(position in the request, reason)` of those left out.

    `may_pass` has the positions of those left out whose files could not be read.
    """

    images: NDArray[np.uint8]
    unreadable: tuple[tuple[int, str], ...]
    may_pass: tuple[int, ...] = ()


def decode(content: bytes | Image.Image, resolution: int) -> Decoded:
    """The centre square at `resolution`, upright (EXIF), in RGB, resized with antialiased bicubic.

    JPEGs are decoded at the smallest size that still leaves the resizer twice the resolution.
    """
    try:
        if isinstance(content, Image.Image):
            return _resize(content, resolution)
        with Image.open(io.BytesIO(content)) as image:
            image.draft("RGB", (2 * resolution, 2 * resolution))
            return _resize(image, resolution)
    except Exception as error:  # Pillow's decoders raise nearly anything on a broken file
        return Unreadable(f"{type(error).__name__}: {error}"[:200])


def decode_all(reader: Reader, names: Sequence[str], resolution: int) -> Batch:
    """Decodes the pictures of one request, in this process."""
    images: list[NDArray[np.uint8]] = []
    unreadable: list[tuple[int, Unreadable]] = []
    for position, picture in enumerate(reader.read(names, resolution)):
        if isinstance(picture, Unreadable):
            unreadable.append((position, picture))
        else:
            images.append(picture)
    shape = (len(images), resolution, resolution, 3)
    return Batch(
        np.stack(images) if images else np.empty(shape, np.uint8),
        tuple((position, found.reason) for position, found in unreadable),
        tuple(position for position, found in unreadable if found.may_pass),
    )


@contextmanager
def decoders(
    reader: Reader, resolution: int, *, processes: int
) -> Iterator[Callable[[Sequence[Sequence[str]]], Iterator[Batch]]]:
    """A function that decodes requests (lists of names) in order, `processes` at a time; 0 decodes here.

    Raises:
        DataError: a decoding process died; raised while its answers are read.
    """
    if processes == 0:
        yield lambda requests: (decode_all(reader, names, resolution) for names in requests)
        return
    with ExitStack() as stack:
        workers = [stack.enter_context(_Worker(reader, resolution)) for _ in range(processes)]
        threads = stack.enter_context(ThreadPoolExecutor(processes))
        idle: SimpleQueue[_Worker] = SimpleQueue()
        for worker in workers:
            idle.put(worker)

        def ask(names: Sequence[str]) -> Batch:
            worker = idle.get()
            try:
                return worker.decode(names)
            finally:
                idle.put(worker)

        def run(requests: Sequence[Sequence[str]]) -> Iterator[Batch]:
            # A window of requests in flight bounds the memory when the consumer is slow.
            window: deque[Future[Batch]] = deque()
            for names in requests:
                window.append(threads.submit(ask, names))
                if len(window) > 2 * processes:
                    yield window.popleft().result()
            while window:
                yield window.popleft().result()

        yield run


def num_cores() -> int:
    """Cores this process may use (affinity, not those of the machine)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Worker:
    """One child process that decodes."""

    def __init__(self, reader: Reader, resolution: int) -> None:
        path = os.pathsep.join(filter(None, [str(_PACKAGE_PARENT), *sys.path]))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", "from bench.proxies.decoding import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )
        self._send((reader, resolution))

    def __enter__(self) -> _Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._process.kill()
        with suppress(BrokenPipeError):
            self._stdin.close()
        self._process.wait()
        self._stdout.close()

    def decode(self, names: Sequence[str]) -> Batch:
        try:
            self._send(names)
            reply = pickle.load(self._stdout)  # noqa: S301 - our own child wrote it
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            code = self._process.wait()
            raise DataError(
                f"a decoding process ended with code {code} between {names[0]!r} and {names[-1]!r}; it "
                "should not; "
                "look at these pictures, and at free memory"
            ) from error
        if isinstance(reply, Exception):
            raise reply
        assert isinstance(reply, Batch)
        return reply

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _send(self, message: object) -> None:
        pickle.dump(message, self._stdin, protocol=pickle.HIGHEST_PROTOCOL)
        self._stdin.flush()


def serve() -> None:
    """The worker's side: reads `(reader, resolution)`, then lists of names, until stdin ends."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not end up among the replies
    warnings.simplefilter("ignore")  # Pillow warns on odd metadata, which changes no pixel
    try:
        reader, resolution = pickle.load(requests)  # noqa: S301 - our own parent wrote it
        while True:
            names = pickle.load(requests)  # noqa: S301
            try:
                reply: Batch | Exception = decode_all(reader, names, resolution)
            except Exception as error:  # belongs to the parent, which raises it
                reply = DataError(f"{error}") if not isinstance(error, DataError) else error
            pickle.dump(reply, replies, protocol=pickle.HIGHEST_PROTOCOL)
            replies.flush()
    except (EOFError, KeyboardInterrupt, BrokenPipeError):
        os._exit(0)


def _resize(image: Image.Image, resolution: int) -> NDArray[np.uint8]:
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    square = _to_rgb(image).resize(
        (resolution, resolution),
        Image.Resampling.BICUBIC,
        box=(left, top, left + side, top + side),
        reducing_gap=2.0,
    )
    # A centred square stays the same square when turned, so only the small picture has to be.
    turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return np.asarray(square if turn is None else square.transpose(turn), dtype=np.uint8)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # convert() would clip 16 bits to white
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")
