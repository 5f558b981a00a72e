"""Calls of an agent: ask for work, say that one is alive, send what was measured."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
from functools import partial
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from bench.fleet.auth import Caller
from bench.fleet.bodies import holding, parse_model, read_model
from bench.fleet.hub import Hub, hub_of
from bench.fleet.lane import Terms
from bench.fleet.results import cleaned, failed_twin, noise_of, read_results
from bench.fleet.routes.parameters import Agent, Fence, RunnerId, Wait, check_own, refusals, runner_of, takes
from bench.fleet.schemas.leases import (
    DoneDoc,
    FailBody,
    HeartbeatBody,
    HeartbeatDoc,
    LeaseDoc,
    LookBody,
    LookDoc,
    ResultBody,
)
from bench.measure.protocol import is_precise
from bench.store.records import Json

router = APIRouter(tags=["leases"])

_JSON = "application/json"


@router.post(
    "/v1/runners/{runner_id}/lease",
    response_model=LeaseDoc,
    responses={204: {"description": "There is no job now; ask again."}, **refusals(403)},
)
async def lease(request: Request, caller: Agent, runner_id: RunnerId, wait: Wait = 0.0) -> Response:
    """The next job for a runner; waits until there is one."""
    hub = hub_of(request)
    check_own(caller, runner_id)
    looks = itertools.count()
    content = await hub.poll(request, runner_id, lambda: _lease(hub, caller, is_first=next(looks) == 0), wait_s=wait)
    return Response(status_code=204) if content is None else Response(content, media_type=_JSON)


def _lease(hub: Hub, caller: Caller, *, is_first: bool) -> bytes | None:
    hub.check_caller(caller)
    found = hub.queue.lease(runner_of(caller), is_first=is_first)
    if found is None:
        return None
    told = {
        "fence": found.fence,
        "attempt": found.attempt,
        "job_id": found.job_id,
        "ttl_s": found.ttl_s,
        "heartbeat_s": found.heartbeat_s,
        "max_s": found.max_s,
        "body": found.body,
    }
    return json.dumps(told, separators=(",", ":"), allow_nan=False).encode("ascii")


@router.post("/v1/leases/{fence}/heartbeat", responses=refusals(403, 409, 411, 413), openapi_extra=takes(HeartbeatBody))
async def heartbeat(request: Request, caller: Agent, fence: Fence) -> HeartbeatDoc:
    """Keeps a lease alive, and tells the agent whether to go on."""
    hub = hub_of(request)
    body = await read_model(request, hub, HeartbeatBody, limit=hub.limits.document_bytes)
    progress = body.model_dump(include={"phase", "done", "total"})
    health = None if body.health is None else cleaned(body.health)
    action = await hub.sql(
        lambda: hub.queue.heartbeat(fence, runner_of(caller), progress=progress, health=health),
    )
    return HeartbeatDoc(action=action)


@router.post("/v1/leases/{fence}/look", responses=refusals(403, 409, 411, 413), openapi_extra=takes(LookBody))
async def look(request: Request, caller: Agent, fence: Fence) -> LookDoc:
    """Takes what was measured so far, and says whether that is enough."""
    hub = hub_of(request)
    terms = await hub.sql(partial(hub.queue.terms, fence, runner_of(caller)))
    async with holding(request, hub, hub.limits.result_bytes) as content:
        found, note = await asyncio.to_thread(_read_look, content, terms, hub)
        # Where there are no terms this says why: the lease was cancelled, or has ended.
        action = await hub.sql(lambda: hub.queue.look(fence, runner_of(caller), found, note=note))
    return LookDoc(action="enough" if action == "continue" and note["is_enough"] else action)


@router.put("/v1/leases/{fence}/result", responses=refusals(403, 409, 411, 413), openapi_extra=takes(ResultBody))
async def finish(request: Request, caller: Agent, fence: Fence) -> DoneDoc:
    """Takes what was measured, which ends the job; the same bytes again give the same answer."""
    hub = hub_of(request)
    terms = await hub.sql(partial(hub.queue.terms, fence, runner_of(caller)))
    async with holding(request, hub, hub.limits.result_bytes) as content:
        ready = await asyncio.to_thread(_read_result, content, terms, hub)
        record = await hub.sql(lambda: hub.queue.finish(fence, runner_of(caller), **ready))
    return DoneDoc(job_id=record.id)


@router.post("/v1/leases/{fence}/fail", responses=refusals(403, 409, 411, 413), openapi_extra=takes(FailBody))
async def fail(request: Request, caller: Agent, fence: Fence) -> Response:
    """Ends a lease without a result; its job is tried again unless another attempt would fail alike."""
    hub = hub_of(request)
    body = await read_model(request, hub, FailBody)
    reason = " ".join(body.reason.split()) or body.kind
    await hub.sql(lambda: hub.queue.fail(fence, runner_of(caller), body.kind, reason))
    return Response(b"{}", media_type=_JSON)


def _read_look(content: bytes, terms: Terms | None, hub: Hub) -> tuple[Json, dict[str, Any]]:
    """What is kept of a look, and what its event tells."""
    if terms is None:
        return {}, {"is_enough": False}
    reading = read_results(parse_model(content, LookBody).measurements, terms, limits=hub.limits)
    job, found = terms.job, reading.measurements
    note = {
        "restarts": max(len(measurement.samples) for measurement in found),
        "is_enough": is_precise(found, restarts=job.restarts, target=job.target),
    }
    return {"measurements": reading.documents}, note


def _read_result(content: bytes, terms: Terms | None, hub: Hub) -> dict[str, Any]:
    """What `Queue.finish` needs. Of a lease that has ended only the hash counts, which tells a result sent twice."""
    sha256 = hashlib.sha256(content).hexdigest()
    if terms is None:
        return {"result": None, "sha256": sha256}
    reading = read_results(parse_model(content, ResultBody).measurements, terms, limits=hub.limits)
    return {
        "result": {"measurements": reading.documents},
        "sha256": sha256,
        "noise": noise_of(reading.measurements),
        "distrust": failed_twin(reading.measurements),
    }
