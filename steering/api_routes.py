"""The endpoints for routes: appliances tell what they hear by BGP, operators ask what is wrong with it."""

from __future__ import annotations

import asyncio
import gc
from collections import defaultdict

import msgspec
from aiohttp import web

from oca.common.log import get_logger
from oca.common.problem import json_response, read_body
from oca.common.routes import BATCH_BYTES_MAX, RouteAnswer, RouteBatch
from steering.authorisation import Authorisation
from steering.decision import Decider
from steering.endpoints import endpoint
from steering.kept import KeptBody
from steering.route_audit import AuditView, audit

_batches = msgspec.json.Decoder(RouteBatch)
_encode = msgspec.json.Encoder().encode
_log = get_logger("routes")


class Routes:
    """Handlers over the reach of all sites."""

    def __init__(self, decider: Decider, authorisation: Authorisation) -> None:
        self._decider = decider
        self._authorisation = authorisation
        self._taking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._audit = KeptBody(lambda: _encode(audit(decider.reach)))

    @endpoint("POST", "/v1/appliances/{appliance}/routes", takes=RouteBatch, gives=RouteAnswer)
    async def take(self, request: web.Request) -> web.Response:
        """What an appliance hears by BGP: a batch of changes, taken in between answers to viewers."""
        appliance = self._authorisation.appliance_of(request)
        batch = await read_body(request, _batches, bytes_max=BATCH_BYTES_MAX)
        reach, fault = self._decider.reach, ""
        async with self._taking[appliance]:
            for said in reach.take(appliance, batch):
                fault = said
                await asyncio.sleep(0)
        gc.freeze()  # a full collection would walk a million routes while viewers wait
        outcome = "refused" if fault else "taken"
        self._decider.counts.add(f"steering_route_batches:{outcome}")
        if fault:
            _log.warning("a batch of routes is not taken; the whole table is wanted", appliance=appliance, why=fault)
        elif batch.ends:
            _log.info("routes heard", appliance=appliance, routes=reach.heard[appliance].routes)
        return json_response(RouteAnswer(digest=reach.heard[appliance].digest_hex, full_wanted=bool(fault)))

    @endpoint("GET", "/v1/routes/audit", gives=AuditView)
    async def audit(self, request: web.Request) -> web.Response:
        """What is wrong with the routes that appliances hear."""
        del request
        body = await self._audit.body()
        return web.Response(body=body, headers={"Content-Type": "application/json", "Cache-Control": "no-store"})
