"""Request bodies: read within their bounds, and parsed as the one JSON document that they have to be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from bench.fleet.answers import ApiError, first_fault
from bench.fleet.strict_json import memory_of, strict_json

if TYPE_CHECKING:
    from bench.fleet.hub import Hub

# Parsing more than this would hold up every other request, so that a thread does it.
_SMALL = 64 << 10
# A document may take so many times the bytes in memory that its call takes of body. The largest honest result comes
# closest: a full session of 64 fast networks, 24 restarts long, has 7 million samples and 5,000 runs of warm-up a
# process in 216,000 lists and objects, and counts for 10 to 12 times its bytes.
_GROWTH = 12
# Of memory: what is read so quickly that it is read at once, and not counted.
_LIGHT = 1 << 20

Model = TypeVar("Model", bound=BaseModel)


def declared_length(request: Request) -> int:
    """Bytes of the body as its headers tell them.

    Raises:
        ApiError: 411, they do not.
    """
    told = request.headers.get("content-length")
    if told is None:
        raise ApiError(411, "a body without its length; Content-Length is needed; send it, and not in chunks")
    # h11 has refused what is no number.
    return int(told)


@asynccontextmanager
async def holding(request: Request, hub: Hub, limit: int) -> AsyncIterator[bytes]:
    """The whole body of JSON, which counts against what the hub holds in memory for as long as it is used.

    Raises:
        ApiError: 411 no length, 413 more than `limit` bytes or too much in them, 503 too many bodies at a time.
    """
    length = declared_length(request)
    if length > limit:
        raise ApiError(413, f"a body of {length} bytes; at most {limit} are taken here; send less")
    chunks, held = [], 0
    try:
        async for chunk in request.stream():
            held += len(chunk)
            hub.buffered += len(chunk)
            if hub.buffered > hub.limits.buffered_bytes:
                raise _too_much()
            chunks.append(chunk)
        content = b"".join(chunks)
        chunks.clear()
        with _reading(hub, await _weighed(content, limit)):
            yield content
    finally:
        hub.buffered -= held


async def _weighed(content: bytes, limit: int) -> int:
    """The memory that reading it may take, found before any of it is read.

    Raises:
        ApiError: 413.
    """
    most = max(_GROWTH * limit, _LIGHT)
    is_small = len(content) <= _SMALL
    memory = memory_of(content) if is_small else await asyncio.to_thread(memory_of, content)
    if memory > most:
        raise ApiError(
            413,
            f"a body of {len(content)} bytes with so many brackets, keys and numbers that reading it may take {memory} "
            f"bytes; at most {most} are given to it here; send less",
        )
    return memory


@contextmanager
def _reading(hub: Hub, memory: int) -> Iterator[None]:
    """Counts what is read now.

    Raises:
        ApiError: 503.
    """
    counted = memory if memory > _LIGHT else 0
    if counted and hub.parsed + counted > max(hub.limits.parsed_bytes, counted):
        raise _too_much()
    hub.parsed += counted
    try:
        yield
    finally:
        hub.parsed -= counted


async def read_model(request: Request, hub: Hub, model: type[Model], *, limit: int | None = None) -> Model:
    """The body as a document of the API.

    Raises:
        ApiError: as `holding`, and 422: it is not such a document.
    """
    async with holding(request, hub, hub.limits.json_bytes if limit is None else limit) as content:
        if len(content) <= _SMALL and memory_of(content) <= _LIGHT:
            return parse_model(content, model)
        return await asyncio.to_thread(parse_model, content, model)


def parse_model(content: bytes, model: type[Model]) -> Model:
    """A JSON document as a model.

    Raises:
        ApiError: 422.
    """
    document = strict_json(content)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise ApiError(422, first_fault(faults)) from None


def _too_much() -> ApiError:
    return ApiError(503, "too many large bodies at a time; some room is needed; send it again", wait_s=2.0)
