"""The hub's HTTP API: calls, their refusals, and the OpenAPI document that an agent can be written against."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bench.fleet.answers import response_for
from bench.fleet.blobs import BlobStore
from bench.fleet.guard import Guard
from bench.fleet.hub import Hub
from bench.fleet.limits import Limits
from bench.fleet.queue import Queue
from bench.fleet.routes import ROUTERS
from bench.fleet.schemas import BODIES
from bench.fleet.schemas.jobs import EventDoc
from bench.store.fleet import FleetStore
from bench.version import __version__

_DESCRIPTION = """
Hands out measuring jobs to devices. An agent enrols with a code, asks for a lease, fetches the files that its lease
names, says every few seconds that it is alive, and sends what it measured under the lease's fence. A client uploads
files, submits jobs and follows them. Every refusal is one line in the field `error`.
"""


class HubApp(FastAPI):
    """The API; its document holds the bodies too, which calls read by themselves."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once."""
        is_made = self.openapi_schema is not None
        document = super().openapi()
        if not is_made:
            _, bodies = models_json_schema(
                [*((model, "validation") for model in BODIES), (EventDoc, "validation")],
                ref_template="#/components/schemas/{model}",
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for name, schema in bodies.get("$defs", {}).items():
                schemas.setdefault(name, schema)
        return document


def make_app(queue: Queue, store: FleetStore, blobs: BlobStore, *, limits: Limits) -> HubApp:
    """The API of one hub, whose state is `app.state.hub`."""
    app = HubApp(
        title="bench hub",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url="/v1/openapi.json",
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_name_of,
        # It would go to whatever else in a process that embeds a hub has set OpenTelemetry up.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        exception_handlers={HTTPException: _refuse, RequestValidationError: _refuse},
    )
    app.state.hub = hub = Hub(queue, store, blobs, limits=limits)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(Guard, hub=hub)
    return app


async def _refuse(_request: Request, error: Exception) -> Response:
    return response_for(error)


def _name_of(route: APIRoute) -> str:
    return route.name
