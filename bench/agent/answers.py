"""What a hub answers: read in bounded pieces, kept in memory or in a file, or turned into an error of one line."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchError

_CHUNK = 1 << 16
_ERROR_BYTES = 64 << 10
_ERROR_LENGTH = 300
_LONGEST_WISH_S = 300.0
# 500 is the hub's own fault and may be over soon.
_PASSING = (429, 500, 502, 503, 504)
# After these from a hub a lease, or an agent, is given up.
_LAST_WORDS = (401, 403, 404, 409)
_JSON = "application/json"


class HubError(BenchError, RuntimeError):
    """The hub said no, or something that makes no sense.

    Attributes:
        status: of HTTP; 0: there was no answer that can be used.
        line: what it said.
        wait_s: what it wants to be left alone for.
    """

    def __init__(self, status: int, line: str, wait_s: float | None = None) -> None:
        super().__init__(status, line, wait_s)
        self.status = status
        self.line = line
        self.wait_s = wait_s

    def __str__(self) -> str:
        return self.line

    @property
    def is_passing(self) -> bool:
        """Whether the same call may go well later."""
        return self.status in _PASSING


class HubAwayError(HubError):
    """Nobody answers, or the connection broke; `status` is 0."""

    @property
    def is_passing(self) -> bool:
        return True


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        status: 200 to 299.
        headers: names in lower case.
        body: empty where it was written to a file.
        sha256: of what was written to a file.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    sha256: str | None = None

    def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            HubError: it is none, or has NaN in it.
        """
        try:
            found = json.loads(self.body, parse_constant=_refuse)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise HubError(0, "the hub's answer is no JSON object; one is needed; check that the address is a hub's")
        return found


def read_reply(response: http.client.HTTPResponse, *, limit: int, stream_to: Path | None) -> Reply:
    """The whole answer, of at most `limit` bytes.

    Args:
        limit: of the body.
        stream_to: a new file for the body; it is gone again when reading fails.

    Raises:
        HubError: a refusal, a redirect, a longer body, or a file that cannot be written.
        OSError, HTTPException: the connection broke.
    """
    headers = {name.lower(): value for name, value in response.getheaders()}
    if not 200 <= response.status < 300:
        said = _said(response)
        if response.status in _LAST_WORDS and not headers.get("content-type", _JSON).startswith(_JSON):
            # A hub answers in JSON. What stands in front of one says such things itself while it starts again, and
            # nothing is to be thrown away for that.
            raise HubError(0, f"{said}, which is not the answer of a hub; check what stands in front of it")
        raise HubError(response.status, said, _wish_s(headers))
    chunks = _chunks(response, limit)
    if stream_to is None:
        return Reply(response.status, headers, b"".join(chunks))
    return Reply(response.status, headers, b"", _save(chunks, stream_to))


def printable(text: str) -> str:
    """In one line, without what would move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """A disk that fails is no hub that is away.

    Raises:
        HubError: in place of OSError.
    """
    try:
        yield
    except OSError as error:
        raise HubError(
            0, f"{str(path)!r} cannot be used ({error.strerror}); a plain file, a disk with space are needed; check it"
        ) from error


def _chunks(response: http.client.HTTPResponse, limit: int) -> Iterator[bytes]:
    """The body; no more than a chunk beyond `limit` is ever read."""
    total = 0
    while (response.length or 0) <= limit:
        chunk = response.read(_CHUNK)
        total += len(chunk)
        if total > limit:
            break
        if not chunk:
            if response.length:
                raise http.client.IncompleteRead(b"", response.length)
            return
        yield chunk
    raise HubError(0, f"the hub's answer has more than {limit} bytes; at most these are read; check that it is a hub")


def _said(response: http.client.HTTPResponse) -> str:
    """A refusal in one line."""
    if 300 <= response.status < 400:
        return f"the hub sends elsewhere (HTTP {response.status}), which is not followed; use the hub's own address"
    text: Any = None
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, TypeError, KeyError, RecursionError):
        text = json.loads(response.read(_ERROR_BYTES))["error"]
    if not isinstance(text, str):
        text = http.client.responses.get(response.status, "no reason given")
    return f"{printable(text)[:_ERROR_LENGTH]} (HTTP {response.status})"


def _wish_s(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds; its other form, a date, would need a clock that agrees with the hub's."""
    text = headers.get("retry-after", "").strip()
    return min(float(text), _LONGEST_WISH_S) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _save(chunks: Iterator[bytes], path: Path) -> str:
    """Writes a new file that is its owner's alone; its sha256."""
    digest = hashlib.sha256()
    with disk_errors(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for chunk in chunks:
                digest.update(chunk)
                left = memoryview(chunk)
                while left:
                    with disk_errors(path):
                        left = left[file.write(left) :]
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    return digest.hexdigest()


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
