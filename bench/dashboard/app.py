"""The server's routes: the page, its files, and documents as JSON; nothing here writes anything, anywhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bench.agent.connections import is_loopback
from bench.dashboard.assets import Asset, Assets
from bench.dashboard.question import parse_question
from bench.dashboard.snapshot import snapshot_page
from bench.dashboard.source import Source
from bench.errors import BenchError, ConfigError, StoreError
from bench.store import NotThereError

LOG = logging.getLogger("bench.dashboard")

_LARGEST_ID = 2**31 - 1
# Fast rather than small: a page mostly asks over loopback.
_ZIP_LEVEL = 4
_LEAST_ZIPPED = 4096


def make_app(source: Source, assets: Assets | None = None) -> Starlette:
    """The routes over one database; `guard.Guard` belongs around them."""
    routes = _Routes(source, Assets() if assets is None else assets)
    listed = {
        "/": routes.page,
        "/static/{name}": routes.static,
        "/api/studies": routes.studies,
        "/api/studies/{id:int}.csv": routes.csv,
        "/api/studies/{id:int}.json": routes.json,
        "/api/studies/{id:int}.html": routes.html,
        "/api/studies/{id:int}": routes.study,
        "/api/studies/{id:int}/points": routes.points,
        "/api/studies/{id:int}/progress": routes.strategies,
        "/api/studies/{id:int}/compare": routes.compare,
        "/api/trials/{id:int}": routes.trial,
        "/api/published": routes.published,
        "/api/runners": routes.runners,
    }
    app = Starlette(
        routes=[Route(path, _told(call), methods=["GET"]) for path, call in listed.items()],
        middleware=[Middleware(_Zipping, minimum_size=_LEAST_ZIPPED, compresslevel=_ZIP_LEVEL)],
        exception_handlers={HTTPException: _refuse_http},
    )
    app.router.redirect_slashes = False
    return app


class _Zipping(GZipMiddleware):
    """Compresses documents; the files of the page see to it themselves."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_document = scope["type"] == "http" and scope["path"].startswith("/api/")
        await (super().__call__ if is_document else self.app)(scope, receive, send)


class _Routes:
    """One function a route; each runs in a thread of its own, as it waits for a database."""

    def __init__(self, source: Source, assets: Assets) -> None:
        self._source, self._assets = source, assets

    def page(self, request: Request) -> Response:
        return self._file(request, self._assets.page())

    def static(self, request: Request) -> Response:
        name = str(request.path_params["name"])
        asset = self._assets.find(name)
        if asset is None:
            raise HTTPException(404, f"no file {name[:80]!a} of the page; the page names its files; reload it")
        return self._file(request, asset)

    def studies(self, _: Request) -> Response:
        return _json(self._source.studies())

    def study(self, request: Request) -> Response:
        return _json(self._source.study(_id(request)))

    def points(self, request: Request) -> Response:
        question = parse_question(request.query_params)
        found = self._source.points(_id(request), question)
        return Response(status_code=204) if found is None else _json(found)

    def strategies(self, request: Request) -> Response:
        return _json(self._source.strategies(_id(request)))

    def compare(self, request: Request) -> Response:
        other = request.query_params.get("with")
        return _json(self._source.compare(_id(request), None if not other else _number(other)))

    def trial(self, request: Request) -> Response:
        return _json(self._source.trial(_id(request)))

    def published(self, _: Request) -> Response:
        return _json(self._source.published())

    def runners(self, _: Request) -> Response:
        return _json(self._source.runners())

    def csv(self, request: Request) -> Response:
        study_id = _id(request)
        name = self._source.study_name(study_id)
        lines = self._source.csv(study_id)
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=_attached(f"{name}.csv"))

    def json(self, request: Request) -> Response:
        study_id = _id(request)
        name = self._source.study_name(study_id)
        return _json(self._source.json(study_id), headers=_attached(f"{name}.json"))

    def html(self, request: Request) -> Response:
        study_id = _id(request)
        name = self._source.study_name(study_id)
        page = snapshot_page(self._source, study_id, assets=self._assets)
        return Response(page, media_type="text/html; charset=utf-8", headers=_attached(f"{name}.html"))

    def _file(self, request: Request, asset: Asset) -> Response:
        # Not "no-store": a browser asks whether what it has is still right, and is told in a line.
        headers = {"etag": asset.tag, "cache-control": "no-cache", "vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == asset.tag:
            return Response(status_code=304, headers=headers)
        content = asset.content
        # On the machine itself compressing takes longer than sending: half a second for plotly.js.
        is_far = request.client is not None and not is_loopback(request.client.host)
        if is_far and "gzip" in request.headers.get("accept-encoding", ""):
            zipped = self._assets.zipped(asset)
            if zipped is not None:
                content = zipped
                headers["content-encoding"] = "gzip"
        return Response(content, media_type=asset.media_type, headers=headers)


def _told(call: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """The call, with what goes wrong as a status and one line; a traceback goes to the log alone."""

    def answer(request: Request) -> Response:
        try:
            return call(request)
        except HTTPException:
            raise
        except BenchError as error:
            return _refused(_status(error), str(error))
        except Exception:
            LOG.exception("%s could not be answered", ascii(request.url.path[:200]))
            return _refused(500, "this could not be answered; the log of the dashboard tells why; report it with that")

    answer.__name__ = getattr(call, "__name__", "answer")
    return answer


def _status(error: BenchError) -> int:
    if isinstance(error, ConfigError):
        return 400
    if isinstance(error, NotThereError):
        return 404
    return 503 if isinstance(error, StoreError) else 500


async def _refuse_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    lines = {404: "no such path; dashboards/README.md lists them; correct the address"}
    line = error.detail if ";" in error.detail else lines.get(error.status_code, f"{error.detail}; use GET; correct it")
    return _refused(error.status_code, line)


def _refused(status: int, line: str) -> Response:
    return _json({"error": " ".join(line.split())}, status=status)


def _json(data: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    content = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
    return Response(content, status_code=status, media_type="application/json", headers=headers)


def _plain(value: object) -> object:
    # Records hold mappings that are no dicts.
    with suppress(TypeError, ValueError):
        return dict(value)  # type: ignore[call-overload]
    return str(value)


def _attached(name: str) -> dict[str, str]:
    # Names of studies are letters, digits, '.', '_' and '-'.
    return {"content-disposition": f'attachment; filename="{name}"'}


def _id(request: Request) -> int:
    found = int(request.path_params["id"])
    if found > _LARGEST_ID:
        raise HTTPException(404, f"no entry {str(found)[:20]}; ids are those of /api/studies; use one of them")
    return found


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > _LARGEST_ID:
        raise ConfigError(f"with={text[:20]!a}; allowed: the id of a study; use one of /api/studies")
    return int(text)
