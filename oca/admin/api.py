"""The admin API over HTTP: health, metrics, status, assets, drain."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from oca.admin.guard import refusal
from oca.admin.page import page_file, wants_page
from oca.admin.quality import BYS, ROWS_SHOWN, ROWS_SHOWN_MAX, By, QualityPage
from oca.admin.routes import ROUTES_SHOWN, ROUTES_SHOWN_MAX, RoutesPage
from oca.admin.status import Renewal, Status, asset_page, serving_change
from oca.admin.top import ROWS_SHOWN as HOT_SHOWN
from oca.admin.top import ROWS_SHOWN_MAX as HOT_SHOWN_MAX
from oca.admin.top import HotPage
from oca.common.problem import Refusal, json_response, problem_response, problems
from oca.common.routing import mount
from oca.report.past import Past
from oca.report.serving import DRAIN_S_MAX
from oca.report.snapshot import Snapshot

BODY_BYTES_MAX = 4096
ASSETS_SHOWN = 1000
ASSETS_SHOWN_MAX = 10_000

ENDPOINTS = {
    "GET /health": "verdict with reasons; 503 where viewers cannot be served",
    "GET /metrics": "for Prometheus",
    "GET /v1/status": "the appliance at a glance",
    "GET /v1/assets": "assets held, by id; ?after=ID&limit=N",
    "GET /v1/routes": "what is heard by BGP, and what is wrong with it; ?after=PREFIX&limit=N",
    "GET /v1/history": "figures of the last 48 hours, every two minutes, and each change of health",
    "GET /v1/nights": "what the fills of the last nights brought, from where, and what viewers got of it since",
    "GET /v1/hot": "assets that most was sent of in the last minute, most first; ?limit=N",
    "GET /v1/quality": "what viewers had of late, worst first; ?by=prefix|asset|both&limit=N",
    "POST /v1/drain": "send no new viewers here, who plays is moved or finishes; ?for_s=N serves again after that",
    "POST /v1/undrain": "serve again",
    "POST /v1/reload": "read settings and files anew; answers with the outcome",
    "POST /v1/upgrade": "let a new daemon of the installed version follow; answers with the outcome",
}


class Appliance(Protocol):
    """What the API shows and drives."""

    @property
    def snapshot(self) -> Snapshot:
        """What was seen last."""

    def status(self) -> Status:
        """The appliance at a glance."""

    def quality(self, by: By, limit: int) -> QualityPage:
        """What viewers had of late."""

    def routes(self, after: str, limit: int) -> RoutesPage:
        """What is heard by BGP; may take a second where that is a full table."""

    @property
    def past(self) -> Past:
        """The last 48 hours, and the nights of fills."""

    def hot(self, limit: int) -> HotPage:
        """The assets that most was sent of in the last minute."""

    def drain(self, for_s: int) -> bool:
        """Begin to drain, for so long or (0) until told otherwise; false where that is so already."""

    def undrain(self) -> bool:
        """Serve again; false where that is so already."""

    async def reload(self) -> Renewal:
        """Read settings and files anew; how that went."""

    async def upgrade(self) -> Renewal:
        """Let a new daemon follow this one; how that went."""


def admin_app(appliance: Appliance, registry: CollectorRegistry, host_names: Collection[str]) -> web.Application:
    """The API as an aiohttp application."""
    api = _Api(appliance, registry)
    app = web.Application(middlewares=[problems, _guard(host_names)], client_max_size=BODY_BYTES_MAX)
    routes = [
        web.get("/", api.index),
        web.get("/health", api.health),
        web.get("/metrics", api.metrics),
        web.get("/v1/status", api.status),
        web.get("/v1/assets", api.assets),
        web.get("/v1/routes", api.routes),
        web.get("/page/{name}", api.page),
        web.get("/v1/history", api.history),
        web.get("/v1/nights", api.nights),
        web.get("/v1/hot", api.hot),
        web.get("/v1/quality", api.quality),
        web.post("/v1/drain", api.drain),
        web.post("/v1/undrain", api.undrain),
        web.post("/v1/reload", api.reload),
        web.post("/v1/upgrade", api.upgrade),
    ]
    mount(app, routes)
    return app


def _guard(host_names: Collection[str]) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        problem = refusal(
            method=request.method,
            host=request.headers.get("Host", ""),
            origin=request.headers.get("Origin"),
            content_type=request.content_type,
            host_names=host_names,
        )
        return problem_response(problem) if problem is not None else await handler(request)

    return guard


class _Api:
    def __init__(self, appliance: Appliance, registry: CollectorRegistry) -> None:
        self._appliance = appliance
        self._registry = registry

    async def index(self, request: web.Request) -> web.Response:
        if wants_page(request):
            return page_file("index.html")
        return json_response({"endpoints": ENDPOINTS})

    async def health(self, _request: web.Request) -> web.Response:
        health = self._appliance.snapshot.health
        return json_response(health, status=503 if health.verdict == "failed" else 200)

    async def metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def status(self, _request: web.Request) -> web.Response:
        return json_response(self._appliance.status())

    async def assets(self, request: web.Request) -> web.Response:
        limit = _limit(request, ASSETS_SHOWN, ASSETS_SHOWN_MAX)
        store = self._appliance.snapshot.store
        devices = [device.path for device in store.devices]
        return json_response(asset_page(store.packs, devices, after=request.query.get("after", ""), limit=limit))

    async def routes(self, request: web.Request) -> web.Response:
        limit = _limit(request, ROUTES_SHOWN, ROUTES_SHOWN_MAX)
        after = request.query.get("after", "")
        return json_response(await asyncio.to_thread(self._appliance.routes, after, limit))

    async def page(self, request: web.Request) -> web.Response:
        return page_file(request.match_info["name"])

    async def history(self, _request: web.Request) -> web.Response:
        return json_response(self._appliance.past.page())

    async def nights(self, _request: web.Request) -> web.Response:
        return json_response(await self._appliance.past.nights())

    async def hot(self, request: web.Request) -> web.Response:
        return json_response(self._appliance.hot(_limit(request, HOT_SHOWN, HOT_SHOWN_MAX)))

    async def quality(self, request: web.Request) -> web.Response:
        wanted = request.query.get("by", "prefix")
        by = next((each for each in BYS if each == wanted), None)
        if by is None:
            raise Refusal(400, f"by must be one of {', '.join(BYS)}", field="by")
        return json_response(self._appliance.quality(by, _limit(request, ROWS_SHOWN, ROWS_SHOWN_MAX)))

    async def drain(self, request: web.Request) -> web.Response:
        changed = self._appliance.drain(_whole(request, "for_s", 0, 0, DRAIN_S_MAX))
        return json_response(serving_change(self._appliance.status(), changed=changed))

    async def undrain(self, _request: web.Request) -> web.Response:
        changed = self._appliance.undrain()
        return json_response(serving_change(self._appliance.status(), changed=changed))

    async def reload(self, _request: web.Request) -> web.Response:
        return json_response(await self._appliance.reload())

    async def upgrade(self, _request: web.Request) -> web.Response:
        return json_response(await self._appliance.upgrade())


def _limit(request: web.Request, default: int, most: int) -> int:
    return _whole(request, "limit", default, 1, most)


def _whole(request: web.Request, field: str, default: int, least: int, most: int) -> int:
    text = request.query.get(field, str(default))
    if not (len(text) < 8 and text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise Refusal(400, f"{field} must be a whole number from {least} to {most}", field=field)
    return int(text)
