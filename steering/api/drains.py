"""The endpoints by which operators take boxes and sites out of service from steering, and let new boxes in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import msgspec
from aiohttp import web

from oca.common.clock import now_ns
from oca.common.problem import Refusal, json_response, read_body
from oca.common.threads import in_thread
from steering.api.authorisation import refuse_form
from steering.api.endpoints import endpoint
from steering.fleet.drains import DrainEnd, DrainRequest, DrainsView, Scope, TurnupRequest, over, read_drains
from steering.fleet.operators_orders import change_turnup, drain, undrain
from steering.state.store import StateStore
from steering.trust.audit import Actor

BODY_BYTES_MAX = 4096
_FRESH = {"Cache-Control": "no-store"}


_drain_requests = msgspec.json.Decoder(DrainRequest)
_drain_ends = msgspec.json.Decoder(DrainEnd)
_turnup_requests = msgspec.json.Decoder(TurnupRequest)


class Drains:
    """Handlers over the drains and turn-up records in the state."""

    def __init__(
        self,
        state: StateStore,
        site_of: Mapping[str, str],
        actor_of: Callable[[web.Request], Actor],
        follow: Callable[[], None],
    ) -> None:
        """``follow`` has this instance take up what was changed; the others see it in the state."""
        self._state = state
        self._site_of = site_of
        self._actor_of = actor_of
        self._follow = follow

    @endpoint("GET", "/v1/drains", gives=DrainsView)
    async def drains(self, request: web.Request) -> web.Response:
        """What operators have taken out of service from here, until when and why."""
        del request
        return await self._in_force()

    @endpoint("POST", "/v1/drains", takes=DrainRequest, gives=DrainsView, refuses=(404,))
    async def begin(self, request: web.Request) -> web.Response:
        """Send no new viewers to an appliance or a site, for so long or until it is ended; who plays is moved."""
        refuse_form(request)
        asked = await read_body(request, _drain_requests, bytes_max=BODY_BYTES_MAX)
        self._refuse_unknown(asked.scope, asked.name)
        actor = self._actor_of(request)
        await in_thread(
            partial(drain, self._state, actor, asked.scope, asked.name, for_s=asked.for_s, reason=asked.reason),
            name="drain",
        )
        self._follow()
        return await self._in_force()

    @endpoint("POST", "/v1/drains/end", takes=DrainEnd, gives=DrainsView, refuses=(404,))
    async def end(self, request: web.Request) -> web.Response:
        """Send viewers there again."""
        refuse_form(request)
        asked = await read_body(request, _drain_ends, bytes_max=BODY_BYTES_MAX)
        actor = self._actor_of(request)
        if not await in_thread(partial(undrain, self._state, actor, asked.scope, asked.name), name="undrain"):
            raise Refusal(404, f"{asked.scope} {asked.name} is not drained from here", remedy="see GET /v1/drains")
        self._follow()
        return await self._in_force()

    @endpoint("POST", "/v1/turnup", takes=TurnupRequest, status=204, refuses=(404,))
    async def turnup(self, request: web.Request) -> web.Response:
        """Let a new appliance in whatever its checks say, or have one that was let in checked anew."""
        refuse_form(request)
        asked = await read_body(request, _turnup_requests, bytes_max=BODY_BYTES_MAX)
        self._refuse_unknown("appliance", asked.appliance)
        actor = self._actor_of(request)
        await in_thread(partial(change_turnup, self._state, actor, asked.appliance, asked.action), name="turn-up")
        self._follow()
        return web.Response(status=204, headers=_FRESH)

    async def _in_force(self) -> web.Response:
        kept = await in_thread(partial(read_drains, self._state), name="drains")
        past = over(kept, now_ns())
        return json_response(DrainsView([drain for drain in kept if drain not in past]), headers=_FRESH)

    def _refuse_unknown(self, scope: Scope, name: str) -> None:
        if name not in (self._site_of if scope == "appliance" else self._site_of.values()):
            field = "$.appliance" if scope == "appliance" else "$.name"
            raise Refusal(404, f"No such {scope}: {name}", field=field, remedy="see GET /v1/fleet")
