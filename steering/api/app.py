"""The HTTP API put together: middlewares, and what anyone may look at: catalogue, fleet, health and metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from oca.common.messages import REPORT_BYTES_MAX
from oca.common.metrics_collector import FamilyCollector
from oca.common.problem import problems
from oca.common.routing import mount
from oca.common.tracing import OFF, Tracing
from steering.api.endpoints import Endpoint, endpoint, handlers
from steering.api.kept import KeptBody
from steering.api.messages import FleetView, HealthView, TitlesView
from steering.api.views import fleet_view, health_view, titles_view
from steering.decision.decider import Decider
from steering.fleet.federation import Federation
from steering.metrics import STEERING

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Length, Date, Location, Retry-After",
    "Timing-Allow-Origin": "*",
}
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Range, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status",
    "Access-Control-Max-Age": "86400",
}
_encode = msgspec.json.Encoder().encode


class Views:
    """What anyone may look at."""

    def __init__(
        self, decider: Decider, federation: Federation, faults: Callable[[], Sequence[str]], tracing: Tracing = OFF
    ) -> None:
        self._decider = decider
        self._tracing = tracing
        self._federation = federation
        registry = CollectorRegistry()
        registry.register(FamilyCollector(STEERING, self._values))
        self._titles = KeptBody(lambda: _encode(titles_view(decider)))
        self._fleet = KeptBody(lambda: _encode(fleet_view(decider)))
        self._health = KeptBody(lambda: _encode(health_view(decider, federation.instances(), faults())))
        self._metrics = KeptBody(lambda: generate_latest(registry))

    @endpoint("GET", "/v1/titles", gives=TitlesView)
    async def titles(self, request: web.Request) -> web.Response:
        """The catalogue, and who holds what."""
        del request
        return _answer(await self._titles.body())

    @endpoint("GET", "/v1/fleet", gives=FleetView)
    async def fleet(self, request: web.Request) -> web.Response:
        """Sites and appliances, how each stands and why."""
        del request
        return _answer(await self._fleet.body())

    @endpoint("GET", "/health", gives=HealthView)
    async def health(self, request: web.Request) -> web.Response:
        """Whether this service can answer, and what is amiss."""
        del request
        return _answer(await self._health.body())

    @endpoint("GET", "/metrics", gives="text/plain")
    async def metrics(self, request: web.Request) -> web.Response:
        """Counters and gauges, for Prometheus."""
        del request
        return _answer(await self._metrics.body(), CONTENT_TYPE_LATEST)

    def _values(self) -> Mapping[str, int]:
        values = {**self._decider.counts.values, **self._tracing.counts()}
        for name in self._decider.site_of:
            key = f"steering_appliances:{self._decider.liveness(name).standing}"
            values[key] = values.get(key, 0) + 1
        heard = list(self._decider.reach.heard.values())
        set_aside = sum(len(one.set_aside) for one in heard)
        values["steering_routes:set-aside"] = set_aside
        values["steering_routes:counted"] = sum(one.routes for one in heard) - set_aside
        values["steering_state_connected"] = int(self._federation.is_connected())
        values["steering_instances"] = len(self._federation.instances())
        values["steering_slowed_paths"] = self._decider.feedback.slowed_paths
        values["steering_titles"] = len(self._decider.catalogue.titles)
        return values


def _answer(body: bytes, media_type: str = "application/json") -> web.Response:
    return web.Response(body=body, headers={"Content-Type": media_type, "Cache-Control": "no-store"})


def steering_app(
    parts: Iterable[object], gates: Sequence[Middleware] = (), outermost: Sequence[Middleware] = ()
) -> web.Application:
    """What the parts declare as an aiohttp application.

    ``gates`` may refuse a request before its handler sees it; ``outermost`` see each answer as it leaves.
    """
    middlewares = [*outermost, _cross_origin, problems, *gates]
    app = web.Application(middlewares=middlewares, client_max_size=REPORT_BYTES_MAX)
    mount(app, (_route(declared, handler) for part in parts for declared, handler in handlers(part)))
    return app


def _route(declared: Endpoint, handler: Handler) -> web.RouteDef:
    known = web.get if declared.method == "GET" else web.post
    return known(declared.path, handler)


@web.middleware
async def _cross_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Pages of any origin may play; what appliances use is not for pages."""
    if request.path.startswith("/v1/appliances/"):
        return await handler(request)
    if request.method == "OPTIONS":
        return web.Response(status=204, headers={**CORS, **PREFLIGHT})
    response = await handler(request)
    for name, value in CORS.items():
        response.headers.setdefault(name, value)
    return response
