"""Answers that say no: one JSON object with one line, whatever went wrong.

Names that a caller sent may be repeated to it, tokens, codes and the content of documents are not; a traceback and what
a database says go to the hub's log alone.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from bench.errors import FleetError, MeasureError, StoreError
from bench.fleet.blobs import CrowdedError, NoRoomError, WrongHashError
from bench.fleet.intake import FullError
from bench.fleet.queue import ForeignLeaseError
from bench.store.fleet import EnrolmentError, KeyReusedError, StaleFenceError, UnknownError

LOG = logging.getLogger("bench.fleet")

_LINE_LENGTH = 500
# The first that an error is of; a FleetError of another kind is a conflict with how things stand.
_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (UnknownError, 404),
    (StaleFenceError, 409),
    (ForeignLeaseError, 403),
    (KeyReusedError, 422),
    (EnrolmentError, 401),
    (FullError, 429),
    (WrongHashError, 409),
    (CrowdedError, 503),
    (NoRoomError, 507),
    (FleetError, 409),
    (MeasureError, 422),
)
_HTTP_LINES = {
    404: "no such path; the calls are listed in /v1/openapi.json; correct the URL",
    405: "the path does not take this method; the calls are listed in /v1/openapi.json; use another",
}


class ApiError(Exception):
    """An answer that says no.

    Attributes:
        status: of HTTP.
        line: one line: what was got, what is allowed, what to do.
        wait_s: after which the same may be asked again.
        more: fields of the answer beside the line.
    """

    def __init__(self, status: int, line: str, *, wait_s: float | None = None, **more: Any) -> None:
        super().__init__(status, line)
        self.status = status
        self.line = line
        self.wait_s = wait_s
        self.more = more


def json_response(content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Compact JSON; NaN and infinity are an error here, since no call lets them in."""
    body = json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def response_for(error: Exception) -> Response:
    """The answer to whatever a call ended with."""
    if isinstance(error, RequestValidationError):
        error = ApiError(422, first_fault(error.errors()))
    if isinstance(error, HTTPException):
        line = _HTTP_LINES.get(error.status_code, f"the request is not understood ({error.status_code}); correct it")
        return _refusal(error.status_code, line, dict(error.headers or {}))
    if isinstance(error, ApiError):
        headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
        if error.wait_s is not None:
            headers["Retry-After"] = str(max(math.ceil(error.wait_s), 1))
        return _refusal(error.status, error.line, headers, **error.more)
    if isinstance(error, ClientDisconnect):
        return _refusal(400, "the connection ended before the request did; send it again")
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return response_for(ApiError(status, str(error), wait_s=10.0 if status in (429, 503) else None))
    if isinstance(error, StoreError):
        LOG.error("the database refused: %s", error)
        return response_for(ApiError(503, "the hub's database does not answer now; try again later", wait_s=2.0))
    LOG.error("a call failed inside the hub", exc_info=error)
    return _refusal(500, "an error inside the hub, which its log tells of; try again, and report it if it stays")


def first_fault(errors: Any) -> str:
    """The first of pydantic's errors as one line: where and what, without the value."""
    fault = errors[0] if errors else {"loc": (), "msg": "not valid"}
    where = ".".join(_shown(part) for part in fault["loc"]) or "the request"
    said = str(fault["msg"])
    message = said[:1].lower() + said[1:]
    return f"{where}: {message}; see /v1/openapi.json for what is allowed; correct it"


def _shown(part: Any) -> str:
    """A part of a place; a name may be the caller's own."""
    text = ascii(str(part))[1:-1]
    return text if len(text) <= 40 else f"{text[:40]}..."


def _refusal(status: int, line: str, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    one_line = " ".join(line.split())[:_LINE_LENGTH]
    return json_response({"error": one_line, **more}, status=status, headers=headers)
