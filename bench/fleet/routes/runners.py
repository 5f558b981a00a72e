"""Calls about runners: who there is, what they can do, and their status."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from bench.fleet.bodies import declared_length, read_model
from bench.fleet.hub import Hub, hub_of
from bench.fleet.results import cleaned
from bench.fleet.routes.jobs import attempt_doc
from bench.fleet.routes.parameters import AS_ADMIN, AS_CLIENT, Agent, Client, Name, RunnerId, check_own, refusals, takes
from bench.fleet.schemas.runners import CapabilitiesBody, ReasonBody, RunnerAttemptDoc, RunnerDoc
from bench.store.fleet_records import RunnerRecord, RunnerStatus

router = APIRouter(tags=["runners"])

# What an action makes of a runner.
_ACTIONS: dict[str, RunnerStatus] = {
    "drain": "draining",
    "resume": "ready",
    "quarantine": "quarantined",
    "remove": "removed",
}
Most = Annotated[int, Query(ge=1, le=100, description="At most.")]
_MEANINGS = {
    "drain": "The runner ends what it measures and gets nothing else until it is resumed.",
    "resume": "The runner gets jobs again.",
    "quarantine": "The runner gets tests alone until it is resumed.",
    "remove": "The runner's jobs are cancelled and its token is dead; enrolling brings it back.",
}


@router.get("/v1/runners", dependencies=AS_CLIENT, responses=refusals(403))
async def list_runners(request: Request) -> list[RunnerDoc]:
    """All runners but those that were removed."""
    hub = hub_of(request)
    records = await hub.sql(hub.store.runners)
    return [_runner_doc(hub, record) for record in records if record.status != "removed"]


@router.get("/v1/runners/{name}", dependencies=AS_CLIENT, responses=refusals(403, 404))
async def show_runner(request: Request, name: Name) -> RunnerDoc:
    """One runner."""
    hub = hub_of(request)
    return _runner_doc(hub, await hub.sql(partial(hub.store.runner, name)))


@router.get("/v1/runners/{name}/attempts", responses=refusals(403, 404))
async def list_attempts(request: Request, caller: Client, name: Name, most: Most = 10) -> list[RunnerAttemptDoc]:
    """What a runner was given last, newest first; a client sees its own jobs alone."""
    hub = hub_of(request)
    client = None if caller.kind == "admin" else caller.token_id
    found = await hub.sql(partial(hub.store.runner_attempts, name, most=most, client=client))
    return [
        RunnerAttemptDoc(
            **attempt_doc(attempt).model_dump(), job_id=job.id, is_test=job.is_test, num_files=len(job.artifacts)
        )
        for attempt, job in found
    ]


@router.put(
    "/v1/runners/{runner_id}/capabilities",
    status_code=204,
    responses=refusals(403, 411, 413),
    openapi_extra=takes(CapabilitiesBody),
)
async def tell_capabilities(request: Request, caller: Agent, runner_id: RunnerId) -> Response:
    """What an agent's device is and can do now; the agent tells it when it starts."""
    hub = hub_of(request)
    check_own(caller, runner_id)
    body = await read_model(request, hub, CapabilitiesBody, limit=hub.limits.document_bytes)
    capabilities = cleaned(body.model_dump(mode="json"))
    await hub.sql(lambda: hub.store.update_runner(runner_id, capabilities=capabilities))
    return Response(status_code=204)


async def _move(request: Request, name: str, action: str) -> RunnerDoc:
    hub = hub_of(request)
    reason = None
    # A reason is welcome and not needed, and neither is a body.
    if "content-length" in request.headers and declared_length(request) > 0:
        reason = (await read_model(request, hub, ReasonBody)).reason
    record = await hub.sql(partial(hub.store.runner, name))

    def act() -> RunnerRecord:
        found = hub.queue.move(record.id, _ACTIONS[action], reason=reason)
        if found.status == "removed":
            hub.tokens.look_up(runner_id=found.id)
        return found

    moved = await hub.sql(act)
    if moved.status == "removed":
        hub.bells.ring(moved.id)  # its agent may wait for a job, and hears now that its token is dead
    return _runner_doc(hub, moved)


def _add(action: str) -> None:
    async def move(request: Request, name: Name) -> RunnerDoc:
        return await _move(request, name, action)

    router.add_api_route(
        f"/v1/runners/{{name}}/{action}",
        move,
        methods=["POST"],
        name=f"{action}_runner",
        summary=f"{action.capitalize()} a runner",
        description=_MEANINGS[action],
        dependencies=AS_ADMIN,
        responses=refusals(403, 404, 409, 413),
        openapi_extra=takes(ReasonBody, required=False),
    )


for _action in _ACTIONS:
    _add(_action)


def _runner_doc(hub: Hub, record: RunnerRecord) -> RunnerDoc:
    lane = hub.queue.lanes.find(record.id)
    health = record.health if lane is None or lane.health is None else lane.health
    return RunnerDoc(
        id=record.id,
        name=record.name,
        status=record.status,
        reason=record.reason,
        capabilities=dict(record.capabilities),
        health=dict(health),
        noise=None if record.noise is None else dict(record.noise),
        last_seen_s=hub.queue.silence_s(record.id),
        queue=0 if lane is None else lane.num_unfinished,
    )
