"""Uploads that are under way, by the token that sends them: what one may keep from the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from bench.fleet.answers import ApiError
from bench.fleet.limits import Limits

# Of an upload that has ended there is room again.
_WAIT_S = 5.0


class Uploads:
    """Number and announced bytes of the uploads of each token; one thread alone uses it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: Counter[int] = Counter()
        self._bytes: Counter[int] = Counter()

    @contextmanager
    def counted(self, token_id: int, num_bytes: int) -> Iterator[None]:
        """For as long as an upload is under way. A file by itself is taken whatever its size.

        Raises:
            ApiError: 429, the token has too many.
        """
        limits, begun = self._limits, self._open[token_id]
        if begun >= limits.uploads or (begun and self._bytes[token_id] + num_bytes > limits.upload_bytes):
            raise ApiError(
                429,
                f"{begun} uploads of {self._bytes[token_id]} bytes are under way with this token; at most "
                f"{limits.uploads} of {limits.upload_bytes} bytes together are; let one end first",
                wait_s=_WAIT_S,
            )
        self._open[token_id] += 1
        self._bytes[token_id] += num_bytes
        try:
            yield
        finally:
            self._open[token_id] -= 1
            self._bytes[token_id] -= num_bytes
            if not self._open[token_id]:
                del self._open[token_id], self._bytes[token_id]
