"""Calls about files: named by the SHA-256 of their content, sent and fetched whole or in part."""

from __future__ import annotations

import asyncio
import re
from typing import BinaryIO

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bench.fleet.answers import ApiError
from bench.fleet.auth import Caller
from bench.fleet.blobs import Upload
from bench.fleet.bodies import declared_length
from bench.fleet.hub import Hub, hub_of
from bench.fleet.routes.parameters import Anyone, Client, Sha256, refusals, runner_of

router = APIRouter(tags=["blobs"])

_PATH = "/v1/blobs/sha256/{sha256}"
_CHUNK = 1 << 20  # of a file that is sent
_PIECE = 256 << 10  # of one that comes; that many of it are held for each
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_BINARY = "application/octet-stream"
_RAW = {_BINARY: {"schema": {"type": "string", "format": "binary"}}}


@router.put(
    _PATH,
    responses={
        200: {"description": "It was there already."},
        201: {"description": "It is there now."},
        **refusals(403, 409, 411, 413, 507),
    },
    openapi_extra={"requestBody": {"required": True, "content": _RAW}},
)
async def put_blob(request: Request, caller: Client, sha256: Sha256) -> Response:
    """Keeps a file under the hash of its content."""
    hub = hub_of(request)
    length = declared_length(request)
    if length > hub.limits.blob_bytes:
        raise ApiError(413, f"a file of {length} bytes; at most {hub.limits.blob_bytes} are taken; export less")
    with hub.uploads.counted(caller.token_id, length):
        upload = await asyncio.to_thread(hub.blobs.upload, sha256, length)
        try:
            await _fill(request, upload, hub)
            is_new = await asyncio.to_thread(upload.finish)
        finally:
            # In a thread: it waits for a write that is under way, and every other call would wait with it.
            await asyncio.shield(asyncio.to_thread(upload.close))
    return Response(status_code=201 if is_new else 200)


@router.head(_PATH, responses={200: {"description": "It is there."}, **refusals(403, 404)})
async def look_for_blob(request: Request, caller: Anyone, sha256: Sha256) -> Response:
    """Whether a file is there."""
    hub = hub_of(request)
    _check_reader(hub, caller, sha256)
    size = await asyncio.to_thread(hub.blobs.size, sha256)
    if size is None:
        raise _no_blob()
    return Response(headers={"Content-Length": str(size), "Accept-Ranges": "bytes"}, media_type=_BINARY)


@router.get(
    _PATH,
    response_class=Response,
    responses={
        200: {"content": _RAW, "description": "The file."},
        206: {"content": _RAW, "description": "The part that was asked for."},
        **refusals(403, 404, 416),
    },
)
async def get_blob(request: Request, caller: Anyone, sha256: Sha256) -> Response:
    """A file, or one range of it; an agent gets what its live lease names."""
    hub = hub_of(request)
    _check_reader(hub, caller, sha256)
    found = await asyncio.to_thread(hub.blobs.open, sha256)
    if found is None:
        raise _no_blob()
    file, size = found
    try:
        begin, end = _range(request.headers.get("range"), size)
    except ApiError:
        file.close()
        raise
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{sha256}"', "Content-Length": str(end - begin)}
    is_part = end - begin < size
    if is_part:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    return _BlobResponse(file, begin, end, status=206 if is_part else 200, headers=headers)


class _BlobResponse(Response):
    """Part of a file, which is closed however sending it ends."""

    def __init__(self, file: BinaryIO, begin: int, end: int, *, status: int, headers: dict[str, str]) -> None:
        super().__init__(status_code=status, headers=headers, media_type=_BINARY)
        self._file, self._begin, self._end = file, begin, end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  (ASGI)
        with self._file:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            self._file.seek(self._begin)
            left = self._end - self._begin
            while left > 0:
                chunk = await asyncio.to_thread(self._file.read, min(left, _CHUNK))
                if not chunk:
                    raise OSError("a file became shorter while it was sent")
                left -= len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})
            if self._end == self._begin:
                await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _fill(request: Request, upload: Upload, hub: Hub) -> None:
    """Writes what comes, in pieces that are worth a thread, each while the next one comes.

    Raises:
        ApiError: 503, too much is held for bodies that have not come to their end.
    """
    chunks: list[bytes] = []
    held = 0
    writing: asyncio.Task[None] | None = None
    try:
        async for chunk in request.stream():
            chunks.append(chunk)
            held += len(chunk)
            hub.buffered += len(chunk)
            if hub.buffered > hub.limits.buffered_bytes:
                raise ApiError(503, "too many large bodies at a time; some room is needed; send it again", wait_s=2.0)
            if held >= _PIECE:
                if writing is not None:
                    await writing
                writing = asyncio.create_task(asyncio.to_thread(upload.write, b"".join(chunks)))
                hub.buffered -= held
                chunks, held = [], 0
        if writing is not None:
            await writing
            writing = None
        if held:
            await asyncio.to_thread(upload.write, b"".join(chunks))
    finally:
        hub.buffered -= held
        if writing is not None:
            # Whoever sent it is gone; closing the upload waits for this write, and nobody wants its error.
            writing.cancel()


def _check_reader(hub: Hub, caller: Caller, sha256: str) -> None:
    if caller.kind == "agent" and not hub.queue.lanes.may_read(runner_of(caller), sha256):
        raise ApiError(403, "a file that the agent's live lease does not name; only those are given; ask for a lease")


def _range(header: str | None, size: int) -> tuple[int, int]:
    """First byte and the one behind the last; a header of several ranges, or of another form, asks for everything.

    Raises:
        ApiError: 416, a range beyond the end.
    """
    found = _RANGE.fullmatch(header.strip()) if header is not None else None
    if found is None or found[0] == "bytes=-":
        return 0, size
    first, last = found.groups()
    if not first:
        begin, end = max(size - int(last), 0), size
    else:
        begin, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < int(first):
            return 0, size
    if begin >= end:
        raise ApiError(416, f"a range beyond the {size} bytes of the file; one within them is given; ask for less")
    return begin, end


def _no_blob() -> ApiError:
    return ApiError(404, "no file of that hash; those that were uploaded are here; upload it")
