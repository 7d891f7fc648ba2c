"""The endpoints for routes: appliances tell what they hear by BGP, operators ask what is wrong with it."""

from __future__ import annotations

import msgspec
from aiohttp import web

from oca.common.problem import json_response, read_body
from oca.common.routes import BATCH_BYTES_MAX, RouteAnswer, RouteBatch
from steering.api.authorisation import Authorisation
from steering.api.endpoints import endpoint
from steering.api.kept import KeptBody
from steering.decision.decider import Decider
from steering.fleet.federation import Federation
from steering.routes.audit import AuditView, audit
from steering.routes.intake import RouteIntake

_batches = msgspec.json.Decoder(RouteBatch)
_encode = msgspec.json.Encoder().encode


class Routes:
    """Handlers over the reach of all sites."""

    def __init__(
        self, decider: Decider, authorisation: Authorisation, intake: RouteIntake, federation: Federation
    ) -> None:
        self._decider = decider
        self._authorisation = authorisation
        self._intake = intake
        self._federation = federation
        self._audit = KeptBody(lambda: _encode(audit(decider.reach)))

    @endpoint("POST", "/v1/appliances/{appliance}/routes", takes=RouteBatch, gives=RouteAnswer)
    async def take(self, request: web.Request) -> web.Response:
        """What an appliance hears by BGP: a batch of changes, taken in between answers to viewers."""
        appliance = self._authorisation.appliance_of(request)
        batch = await read_body(request, _batches, bytes_max=BATCH_BYTES_MAX)
        fault = await self._intake.take(appliance, batch)
        if not fault:
            self._federation.share_routes(appliance, batch)
        digest = self._decider.reach.heard[appliance].digest_hex
        return json_response(RouteAnswer(digest=digest, full_wanted=bool(fault)))

    @endpoint("GET", "/v1/routes/audit", gives=AuditView)
    async def audit(self, request: web.Request) -> web.Response:
        """What is wrong with the routes that appliances hear."""
        del request
        body = await self._audit.body()
        return web.Response(body=body, headers={"Content-Type": "application/json", "Cache-Control": "no-store"})
