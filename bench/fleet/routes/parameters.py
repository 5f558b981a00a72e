"""What calls have in common: parts of a path, who may call, and how a call is described."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Path, Query
from pydantic import BaseModel

from bench.fleet.answers import ApiError
from bench.fleet.auth import Caller
from bench.fleet.hub import allowing
from bench.fleet.schemas.forms import ID, LARGEST_ID, RUNNER_NAME, SHA256, ErrorDoc

# Longer than any wait of a hub; the hub's own limit is what counts.
_LONGEST_WAIT_S = 3600.0

RunnerId = Annotated[str, Path(pattern=ID, description="Of a runner.")]
Name = Annotated[str, Path(pattern=RUNNER_NAME, description="Name or id of a runner.")]
JobId = Annotated[str, Path(pattern=ID, description="Of a job.")]
TokenId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Fence = Annotated[int, Path(ge=1, le=LARGEST_ID, description="Of the lease.")]
Sha256 = Annotated[str, Path(pattern=SHA256, description="Of the file's content, 64 hex digits.")]
Wait = Annotated[float, Query(ge=0, le=_LONGEST_WAIT_S, allow_inf_nan=False, description="Seconds, at most.")]

Anyone = Annotated[Caller, Depends(allowing("agent", "client", "admin"))]
Client = Annotated[Caller, Depends(allowing("client", "admin"))]
Admin = Annotated[Caller, Depends(allowing("admin"))]
Agent = Annotated[Caller, Depends(allowing("agent"))]

# For calls that need no more than that somebody may make them.
AS_CLIENT = [Depends(allowing("client", "admin"))]
AS_ADMIN = [Depends(allowing("admin"))]

_REFUSALS = {
    400: "The request is no HTTP that is understood, or it broke off.",
    401: "No token, or none that is valid.",
    403: "A token of another kind, or of somebody else.",
    404: "There is no such thing.",
    409: "It does not fit how things stand.",
    410: "It is not kept any more.",
    411: "A body without its length, or in chunks.",
    413: "A body, or a file, that is too large.",
    416: "A range beyond the end of the file.",
    422: "A document, a name or a number that is not allowed.",
    429: "Too many requests, or unfinished jobs; Retry-After says when to come again.",
    503: "Busy; Retry-After says when to come again.",
    507: "No room for the file.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How a call may be refused, for the OpenAPI document."""
    every = (*statuses, 400, 401, 422, 429, 503)
    return {status: {"model": ErrorDoc, "description": _REFUSALS[status]} for status in sorted({*every})}


def takes(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """A JSON body, for the OpenAPI document; the call reads it by itself, within its bounds."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def check_own(caller: Caller, runner_id: str) -> None:
    """An agent speaks for its own runner.

    Raises:
        ApiError: 403.
    """
    if caller.runner_id != runner_id:
        raise ApiError(403, "the runner of another agent; an agent speaks for its own; use the id from its enrolment")


def runner_of(caller: Caller) -> str:
    """The id of an agent's runner."""
    assert caller.runner_id is not None  # as the store has it for every token of kind "agent"
    return caller.runner_id
