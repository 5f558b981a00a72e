"""Request bodies: read within their bounds, and parsed as the one JSON document that they have to be.

JSON leaves room that nobody needs here: keys that occur twice, NaN, numbers without end, brackets as deep as one
likes, halves of characters. All of it is refused before anything looks at the document.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from bench.fleet.answers import ApiError, first_fault

if TYPE_CHECKING:
    from bench.fleet.hub import Hub

_DEPTH = 32
_LARGEST = 2**63
# Parsing more than this would hold up every other request, so that a thread does it.
_SMALL = 64 << 10
_NAME_LENGTH = 40

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
    """The whole body, which counts against what the hub holds in memory for as long as it is used.

    Raises:
        ApiError: 411 no length, 413 more than `limit` bytes, 503 too many bodies at a time.
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
                raise ApiError(503, "too many large bodies at a time; some room is needed; send it again", wait_s=2.0)
            chunks.append(chunk)
        yield b"".join(chunks)
    finally:
        hub.buffered -= held


async def read_model(request: Request, hub: Hub, model: type[Model], *, limit: int | None = None) -> Model:
    """The body as a document of the API.

    Raises:
        ApiError: as `holding`, and 422: it is not such a document.
    """
    async with holding(request, hub, hub.limits.json_bytes if limit is None else limit) as content:
        if len(content) <= _SMALL:
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


def strict_json(content: bytes) -> Any:
    """A JSON document without anything that readers disagree on.

    Raises:
        ApiError: 422.
    """
    try:
        document = json.loads(
            content.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite
        )
    except RecursionError:
        raise _fault(f"brackets deeper than {_DEPTH}") from None
    except UnicodeDecodeError:
        raise _fault("bytes that are no UTF-8") from None
    except json.JSONDecodeError as error:
        raise _fault(f"no JSON at position {error.pos}") from None
    except ValueError as error:  # a number of thousands of digits, or ours
        raise _fault(str(error) if isinstance(error, _FaultError) else "a number that is too large") from None
    _check(document)
    return document


class _FaultError(ValueError):
    """What is wrong with a document, in words."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _FaultError(f"key {twice[:_NAME_LENGTH]!a} twice in one object")
    return found


def _no_constant(text: str) -> float:
    raise _FaultError(f"{text}, which is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _FaultError("a number that is too large")
    return value


def _check(document: Any) -> None:
    """Depth, size of whole numbers, and texts that can be stored and sent again."""
    left: list[tuple[Any, int]] = [([document], _DEPTH + 1)]
    while left:
        container, depth = left.pop()
        if depth == 0:
            raise _fault(f"brackets deeper than {_DEPTH}")
        if type(container) is dict:
            for key in container:
                _check_text(key)
        for value in container.values() if type(container) is dict else container:
            kind = type(value)
            if kind is int:
                if not -_LARGEST < value < _LARGEST:
                    raise _fault("a whole number of more than 63 bits")
            elif kind is str:
                _check_text(value)
            elif kind is list or kind is dict:
                left.append((value, depth - 1))


def _check_text(text: str) -> None:
    if "\0" in text:
        raise _fault("a text with a NUL character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _fault("a text with half a character (a lone surrogate)") from None


def _fault(what: str) -> ApiError:
    return ApiError(422, f"the body has {what}; plain JSON is needed; correct it")
