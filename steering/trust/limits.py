"""Refuses a client that asks more often than it may, before anything is done for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from oca.common.log import get_logger
from oca.common.problem import Refusal
from steering.decision.address import Trust, speaker_of
from steering.metrics import Counts
from steering.trust.rates import UNLIMITED, Buckets, client_key
from steering.trust.settings import LimitsTable

TOLD_EVERY_S = 60.0
_log = get_logger("limits")


class Limits:
    """A bucket for each client."""

    def __init__(self, settings: LimitsTable, trusted: Trust, counts: Counts, now_s: Callable[[], float]) -> None:
        self._buckets = Buckets(rate_per_s=settings.requests_per_s, burst=settings.burst, keys_max=settings.clients_max)
        self._trusted = trusted
        self._counts = counts
        self._now_s = now_s
        self._told_at_s = -TOLD_EVERY_S

    @property
    def gate(self) -> Middleware:
        """Lets through or refuses."""

        @web.middleware
        async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not request.path.startswith(UNLIMITED):
                self.take(request.remote or "", request.headers.getall("X-Forwarded-For", []))
            return await handler(request)

        return gate

    def take(self, peer: str, forwarded: Sequence[str]) -> None:
        """Let a request of the other end ``peer`` through, with these X-Forwarded-For fields.

        Raises:
            Refusal: 429, its client has asked too often.
        """
        address, trusted_throughout = speaker_of(peer, forwarded, self._trusted)
        if trusted_throughout or self._trusted.covers(address):
            return
        now_s = self._now_s()
        wait_s = self._buckets.take(client_key(address.version, address.number), now_s=now_s)
        if not wait_s:
            return
        self._counts.add("steering_requests_limited")
        if now_s - self._told_at_s >= TOLD_EVERY_S:
            self._told_at_s = now_s
            _log.warning(
                "a client asks more often than it may, and is answered 429",
                address=address.text,
                remedy="raise [limits] requests_per_s if these are many viewers behind one address",
            )
        after = str(math.ceil(wait_s))
        raise Refusal(
            429, "Too many requests from this address", remedy=f"wait {after} s", headers={"Retry-After": after}
        )
