"""Calls about who may call: health, enrolment, tokens."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from bench.agent import PROTOCOL
from bench.fleet.answers import ApiError
from bench.fleet.auth import LOCAL_NAME, hash_token, make_code, make_token
from bench.fleet.bodies import read_model
from bench.fleet.hub import hub_of
from bench.fleet.results import cleaned
from bench.fleet.routes.parameters import AS_ADMIN, Anyone, TokenId, refusals, takes
from bench.fleet.schemas.tokens import (
    EnrolBody,
    EnrolledDoc,
    EnrolmentBody,
    EnrolmentDoc,
    HealthDoc,
    NewTokenDoc,
    RotatedDoc,
    TokenBody,
    TokenDoc,
)
from bench.store.fleet_records import RunnerRecord, TokenRecord
from bench.store.opening import utc_now

router = APIRouter(tags=["tokens"])


@router.get("/v1/health", responses=refusals())
async def health() -> HealthDoc:
    """Whether the hub answers; needs no token."""
    return HealthDoc()


@router.post("/v1/enroll", responses=refusals(411, 413), openapi_extra=takes(EnrolBody))
async def enrol(request: Request) -> EnrolledDoc:
    """Takes a new agent on; its code, which works once, is all that it needs."""
    hub = hub_of(request)
    body = await read_model(request, hub, EnrolBody, limit=hub.limits.document_bytes)
    if body.protocol != PROTOCOL:
        raise ApiError(422, f"protocol {body.protocol}; this hub speaks {PROTOCOL}; copy the agent that came with it")
    token = make_token()
    capabilities = cleaned(body.capabilities.model_dump(mode="json"))

    def take_on() -> RunnerRecord:
        found = hub.store.enrol(
            hash_token(body.code),
            capabilities=capabilities,
            agent_version=body.agent_version,
            token_sha256=hash_token(token),
        )
        hub.tokens.look_up(runner_id=found.id)  # an earlier agent of that name has lost its own
        hub.queue.admit(found)
        return found

    record = await hub.sql(take_on)
    hub.bells.ring(record.id)
    return EnrolledDoc(
        runner_id=record.id,
        name=record.name,
        token=token,
        heartbeat_s=hub.limits.heartbeat_s,
        wait_s=hub.limits.wait_s,
    )


@router.post(
    "/v1/enrolments", dependencies=AS_ADMIN, responses=refusals(403, 409, 411, 413), openapi_extra=takes(EnrolmentBody)
)
async def add_enrolment(request: Request) -> EnrolmentDoc:
    """Makes a code that enrols one runner once."""
    hub = hub_of(request)
    body = await read_model(request, hub, EnrolmentBody)
    code, seconds = make_code(), hub.limits.enrolment_s
    expires_at = utc_now() + timedelta(seconds=seconds)
    await hub.sql(lambda: hub.store.add_enrolment(body.name, sha256=hash_token(code), expires_at=expires_at))
    return EnrolmentDoc(code=code, expires_s=seconds)


@router.post("/v1/tokens", dependencies=AS_ADMIN, responses=refusals(403, 411, 413), openapi_extra=takes(TokenBody))
async def add_token(request: Request) -> NewTokenDoc:
    """Makes a token, which is shown this once."""
    hub = hub_of(request)
    body = await read_model(request, hub, TokenBody)
    if body.name == LOCAL_NAME:
        raise ApiError(
            422, f"token name {LOCAL_NAME!r} is that of the hub's own machine; any other is allowed; choose one"
        )
    token = make_token()

    def add() -> int:
        found = hub.store.add_token(body.kind, body.name, sha256=hash_token(token)).id
        hub.tokens.look_up(token_id=found)
        return found

    return NewTokenDoc(id=await hub.sql(add), token=token)


@router.get("/v1/tokens", dependencies=AS_ADMIN, responses=refusals(403))
async def list_tokens(request: Request) -> list[TokenDoc]:
    """All tokens, without their secrets."""
    hub = hub_of(request)
    return [_token_doc(record) for record in await hub.sql(hub.store.tokens)]


@router.delete("/v1/tokens/{token_id}", dependencies=AS_ADMIN, status_code=204, responses=refusals(403, 404))
async def revoke_token(request: Request, token_id: TokenId) -> Response:
    """Ends a token at once."""
    hub = hub_of(request)

    def revoke() -> TokenRecord:
        found = hub.store.revoke_token(token_id)
        hub.tokens.look_up(token_id=token_id)
        return found

    record = await hub.sql(revoke)
    if record.runner_id is not None:
        hub.bells.ring(record.runner_id)  # its agent may wait for a job
    return Response(status_code=204)


@router.post("/v1/tokens/rotate", responses=refusals(409))
async def rotate_token(request: Request, caller: Anyone) -> RotatedDoc:
    """Gives the caller another token; the one that was shown is dead."""
    hub = hub_of(request)
    token = make_token()

    def replace() -> None:
        hub.store.replace_token(caller.token_id, hash_token(token))
        hub.tokens.look_up(token_id=caller.token_id)

    await hub.sql(replace)
    return RotatedDoc(token=token)


def _token_doc(record: TokenRecord) -> TokenDoc:
    return TokenDoc(
        id=record.id,
        kind=record.kind,
        name=record.name,
        runner_id=record.runner_id,
        created_at=record.created_at.isoformat(),
        revoked_at=None if record.revoked_at is None else record.revoked_at.isoformat(),
    )
