"""Calls about jobs: submit, follow, read, cancel; a client sees its own alone."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response

from bench.fleet.answers import ApiError, json_response
from bench.fleet.auth import Caller
from bench.fleet.bodies import read_model
from bench.fleet.hub import Hub, hub_of
from bench.fleet.routes.parameters import Client, JobId, Wait, refusals, takes
from bench.fleet.schemas.jobs import AttemptDoc, EventDoc, JobBody, JobDoc, ResultDoc, SubmittedDoc
from bench.fleet.submissions import check_submission, digest
from bench.store.fleet import UnknownError
from bench.store.fleet_records import FINISHED_JOB, AttemptRecord, JobEventRecord, JobRecord

router = APIRouter(tags=["jobs"])

_MOST_EVENTS = 1000

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[A-Za-z0-9._:-]{1,200}$",
        description="The same key with the same body gives the same job.",
    ),
]
After = Annotated[int, Query(ge=0, le=2**53, description="Sequence number of the last event that is known.")]


@router.post(
    "/v1/jobs",
    status_code=202,
    response_model=SubmittedDoc,
    responses={
        200: {"model": SubmittedDoc, "description": "The key has come before; this is its job."},
        **refusals(403, 404, 409, 411, 413),
    },
    openapi_extra=takes(JobBody),
)
async def submit_job(request: Request, caller: Client, key: Key) -> Response:
    """Queues a job; its files have to be there."""
    hub = hub_of(request)
    body = await read_model(request, hub, JobBody, limit=hub.limits.job_bytes)
    sha256 = await asyncio.to_thread(lambda: digest(body.model_dump(mode="json")))
    # First of all: a job that was taken is known whatever has become of its files and its runner since.
    known = await hub.sql(partial(hub.queue.intake.known, client=caller.token_id, key=key, body_sha256=sha256))
    if known is not None:
        return json_response({"job_id": known.id})
    plain, size = await asyncio.to_thread(_checked, body, hub)
    record = await hub.sql(partial(_submit, hub, caller, key, plain, body_sha256=sha256, num_bytes=size))
    return json_response({"job_id": record.id}, status=202)


def _checked(body: JobBody, hub: Hub) -> tuple[dict[str, Any], int]:
    """The job as it is kept, and its bytes."""
    plain = check_submission(body, limits=hub.limits)
    # A device reads no more than that, and numbers and texts may be written longer than they came.
    size = len(json_response(plain).body)
    if size > hub.limits.job_bytes:
        raise ApiError(
            413,
            f"a job of {size} bytes, written as a device gets it; at most {hub.limits.job_bytes} are taken; split it",
        )
    return plain, size


def _submit(
    hub: Hub, caller: Caller, key: str, plain: dict[str, Any], *, body_sha256: str, num_bytes: int
) -> JobRecord:
    hub.queue.lanes.named(plain["runner"])
    names = {file["sha256"] for files in plain["files"].values() for file in files}
    with hub.blobs.pinned(names):
        missing = hub.blobs.missing(names)
        if missing:
            raise ApiError(
                409, f"{len(missing)} files are not here; a job's files come first; upload them", missing=list(missing)
            )
        return hub.queue.intake.submit(
            client=caller.token_id, key=key, body=plain, body_sha256=body_sha256, num_bytes=num_bytes
        )


@router.get("/v1/jobs/{job_id}", responses=refusals(403, 404))
async def show_job(request: Request, caller: Client, job_id: JobId) -> JobDoc:
    """How a job stands."""
    hub = hub_of(request)
    return await hub.sql(lambda: _job_doc(hub, _visible(hub, caller, job_id)))


@router.get("/v1/jobs/{job_id}/result", response_model=ResultDoc, responses=refusals(403, 404, 409, 410))
async def show_result(request: Request, caller: Client, job_id: JobId) -> Response:
    """The measurements of a job that is done, unjudged."""
    hub = hub_of(request)
    return await hub.sql(partial(_result, hub, caller, job_id))


@router.get(
    "/v1/jobs/{job_id}/events",
    response_class=Response,
    responses={
        200: {
            "content": {"application/x-ndjson": {"schema": {"$ref": "#/components/schemas/EventDoc"}}},
            "description": "Events, one JSON object a line; empty when the time is over or the job has ended.",
        },
        **refusals(403, 404),
    },
)
async def follow_job(request: Request, caller: Client, job_id: JobId, after: After = 0, wait: Wait = 0.0) -> Response:
    """What happened to a job after an event; waits until there is something, or the job has ended."""
    hub = hub_of(request)
    lines = await hub.poll(request, job_id, partial(_lines, hub, caller, job_id, after), wait_s=wait)
    return Response(lines or b"", media_type="application/x-ndjson")


@router.delete("/v1/jobs/{job_id}", responses=refusals(403, 404))
async def cancel_job(request: Request, caller: Client, job_id: JobId) -> JobDoc:
    """Ends a job at once; one that has ended stays as it is."""
    hub = hub_of(request)

    def cancel() -> JobDoc:
        _visible(hub, caller, job_id)
        return _job_doc(hub, hub.queue.cancel(job_id, reason="cancelled by its client"))

    return await hub.sql(cancel)


def _visible(hub: Hub, caller: Caller, job_id: str) -> JobRecord:
    """The job, if the caller may see it; to others it does not exist."""
    hub.check_caller(caller)
    try:
        record = hub.store.job(job_id)
    except UnknownError:
        raise _no_job() from None
    if caller.kind != "admin" and record.client != caller.token_id:
        raise _no_job()
    return record


def _no_job() -> ApiError:
    return ApiError(404, "no such job of yours; a job is seen by who submitted it; use the id that submitting it gave")


def _lines(hub: Hub, caller: Caller, job_id: str, after: int) -> bytes | None:
    """Events as they are sent; None: there is none yet, and there may be."""
    record = _visible(hub, caller, job_id)
    events = hub.store.events(job_id, after=after)
    if not events:
        return b"" if record.status in FINISHED_JOB else None
    return b"".join(_line(event) for event in events[:_MOST_EVENTS])


def _line(event: JobEventRecord) -> bytes:
    found = EventDoc(
        sequence=event.sequence,
        kind=event.kind,
        fence=event.fence,
        data=dict(event.data),
        created_at=event.created_at.isoformat(),
    )
    return json.dumps(found.model_dump(), separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def _result(hub: Hub, caller: Caller, job_id: str) -> Response:
    record = _visible(hub, caller, job_id)
    result = hub.store.job_result(job_id)
    if result is None and record.status == "done":
        raise ApiError(410, f"the result of job {job_id} is kept no longer; it was for a while; measure it again")
    if result is None:
        raise ApiError(409, f"job {job_id} is {record.status} and has no result; one that is done has; wait for it")
    response = json_response(dict(result))
    if record.fetched_at is None and record.client == caller.token_id:
        hub.store.note_fetched(job_id)
    return response


def _job_doc(hub: Hub, record: JobRecord) -> JobDoc:
    progress = hub.queue.lanes.progress(record.id)
    return JobDoc(
        id=record.id,
        runner=record.runner,
        status=record.status,
        reason=record.reason,
        priority=record.priority,
        is_test=record.is_test,
        num_attempts=record.num_attempts,
        created_at=record.created_at.isoformat(),
        finished_at=None if record.finished_at is None else record.finished_at.isoformat(),
        progress=None if progress is None else dict(progress),
        attempts=[attempt_doc(attempt) for attempt in hub.store.attempts(record.id)],
    )


def attempt_doc(attempt: AttemptRecord) -> AttemptDoc:
    """A lease as it is told."""
    return AttemptDoc(
        fence=attempt.fence,
        number=attempt.number,
        status=attempt.status,
        kind=attempt.kind,
        reason=attempt.reason,
        started_at=attempt.started_at.isoformat(),
        finished_at=None if attempt.finished_at is None else attempt.finished_at.isoformat(),
    )
