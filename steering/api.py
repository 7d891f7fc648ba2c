"""The HTTP API put together: middlewares, the views of catalogue and fleet, health and metrics."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Struct, field
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from oca import __version__
from oca.common.clock import monotonic_s
from oca.common.log import get_logger
from oca.common.messages import REPORT_BYTES_MAX, FillProgress, Problem, Serving, Verdict
from oca.common.metrics import FamilyCollector
from oca.common.problem import json_response, problem_response, problems
from steering.decision import Decider
from steering.liveness import NEVER_REPORTED
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
PREFIXES_SHOWN_MAX = 20
_log = get_logger("api")


class AssetView(Struct, frozen=True):
    """An asset as ``/v1/titles`` shows it; ``holders`` are appliances that are up and hold this revision."""

    asset: str
    kind: str
    bytes: int
    bitrate_bits_per_s: int
    holders: list[str]


class TitleView(Struct, frozen=True):
    """A title as ``/v1/titles`` shows it."""

    title: str
    name: str
    duration_s: float
    bytes: int
    regions: list[str]
    released_at_ns: int
    poster: str
    assets: list[AssetView]


class SiteView(Struct, frozen=True):
    """A site as ``/v1/fleet`` shows it, with the first of its prefixes."""

    site: str
    name: str
    site_class: str = field(name="class")
    latitude: float
    longitude: float
    prefixes: list[str]


class ApplianceView(Struct, frozen=True):
    """An appliance as ``/v1/fleet`` shows it; ``report_age_s`` is null before its first report."""

    appliance: str
    site: str
    up: bool
    standing: str
    why: str
    verdict: Verdict | None
    reasons: list[str]
    serving: Serving | None
    report_age_s: float | None
    delivery_urls: list[str]
    used_bytes: int
    capacity_bytes: int
    assets: int
    connections: int
    sent_bytes_per_s: float
    fill: FillProgress | None


class Views:
    """What anyone may look at."""

    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self._registry = CollectorRegistry()
        self._registry.register(FamilyCollector(STEERING, self._values))

    def routes(self) -> list[web.RouteDef]:
        """What to mount."""
        return [
            web.get("/v1/titles", self.titles),
            web.get("/v1/fleet", self.fleet),
            web.get("/health", self.health),
            web.get("/metrics", self.metrics),
        ]

    async def titles(self, request: web.Request) -> web.Response:
        """The catalogue, and who holds what."""
        del request
        members = self._decider.fleet.members
        up = [name for name in members if self._decider.liveness(name).takes_viewers]
        views = [
            TitleView(
                title=title.title,
                name=title.name,
                duration_s=title.duration_s,
                bytes=sum(asset.bytes for asset in title.assets),
                regions=title.regions,
                released_at_ns=title.released_at_ns,
                poster=title.poster,
                assets=[
                    AssetView(
                        asset=asset.asset,
                        kind=asset.kind,
                        bytes=asset.bytes,
                        bitrate_bits_per_s=asset.bitrate_bits_per_s,
                        holders=[name for name in up if members[name].held.get(asset.asset) == asset.revision],
                    )
                    for asset in title.assets
                ],
            )
            for title in self._decider.catalogue.titles.values()
        ]
        return json_response({"titles": views}, headers={"Cache-Control": "no-store"})

    async def fleet(self, request: web.Request) -> web.Response:
        """Sites and appliances, how each stands and why."""
        del request
        sites = [
            SiteView(
                site=site.id,
                name=site.name or site.id,
                site_class=site.class_,
                latitude=site.latitude,
                longitude=site.longitude,
                prefixes=list(site.prefixes[:PREFIXES_SHOWN_MAX]),
            )
            for site in self._decider.settings.site
        ]
        appliances = [self._appliance(name, site) for name, site in self._decider.site_of.items()]
        return json_response({"sites": sites, "appliances": appliances}, headers={"Cache-Control": "no-store"})

    async def health(self, request: web.Request) -> web.Response:
        """Whether this service can answer, and what is amiss."""
        del request
        standings = [self._decider.liveness(name) for name in self._decider.site_of]
        up = sum(standing.takes_viewers for standing in standings)
        reasons = [] if self._decider.catalogue.titles else ["no title is published"]
        if standings and not up:
            reasons.append("no appliance is up: viewers are sent to the origin")
        body = {
            "verdict": "degraded" if reasons else "ok",
            "reasons": reasons,
            "version": __version__,
            "titles": len(self._decider.catalogue.titles),
            "appliances": len(standings),
            "appliances_up": up,
        }
        return json_response(body, headers={"Cache-Control": "no-store"})

    async def metrics(self, request: web.Request) -> web.Response:
        """For Prometheus."""
        del request
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _appliance(self, name: str, site: str) -> ApplianceView:
        member = self._decider.fleet.members[name]
        report = member.report
        verdict = self._decider.liveness(name)
        if report is None:
            return ApplianceView(
                appliance=name,
                site=site,
                up=False,
                standing=verdict.standing,
                why=NEVER_REPORTED.why,
                verdict=None,
                reasons=[],
                serving=None,
                report_age_s=None,
                delivery_urls=[],
                used_bytes=0,
                capacity_bytes=0,
                assets=0,
                connections=0,
                sent_bytes_per_s=0.0,
                fill=member.fill,
            )
        return ApplianceView(
            appliance=name,
            site=site,
            up=verdict.takes_viewers,
            standing=verdict.standing,
            why=verdict.why,
            verdict=report.health.verdict,
            reasons=report.health.reasons,
            serving=report.serving,
            report_age_s=round(monotonic_s() - member.received_at_s, 3),
            delivery_urls=report.delivery_urls,
            used_bytes=report.store.used_bytes,
            capacity_bytes=report.store.capacity_bytes,
            assets=report.store.assets,
            connections=report.load.connections,
            sent_bytes_per_s=report.load.sent_bytes_per_s,
            fill=member.fill,
        )

    def _values(self) -> Mapping[str, int]:
        values = dict(self._decider.counts.values)
        for name in self._decider.site_of:
            key = f"steering_appliances:{self._decider.liveness(name).standing}"
            values[key] = values.get(key, 0) + 1
        values["steering_titles"] = len(self._decider.catalogue.titles)
        return values


def steering_app(routes: list[web.RouteDef]) -> web.Application:
    """The service's endpoints as an aiohttp application."""
    app = web.Application(middlewares=[_cross_origin, _unforeseen, problems], client_max_size=REPORT_BYTES_MAX)
    app.add_routes(routes)
    return app


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


@web.middleware
async def _unforeseen(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A fault of ours is logged whole and told in one line."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception as error:  # noqa: BLE001 - the seam behind which nothing internal may leak
        _log.error("a request failed by a fault of ours", path=request.path, exc_info=error)
        return problem_response(Problem(title="Internal fault", status=500, remedy="see the log of steering"))
