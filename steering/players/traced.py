"""Plain playback requests as spans; in use where traces are on."""

from __future__ import annotations

from steering.players.express import Express
from steering.players.plain_request import TARGET, PlainRequest
from steering.players.playback import Playback
from steering.trust.limits import Limits
from steering.trust.traced import Traced, answered

_ROUTE = TARGET.decode()


class TracedExpress(Express):
    """As ``Express``, and says so."""

    def __init__(self, playback: Playback, limits: Limits, traced: Traced) -> None:
        super().__init__(playback, limits)
        self._traced = traced

    def respond(self, request: PlainRequest, peer: str) -> bytes:
        """The response, recorded where it is of the sample, or its caller's trace is followed."""
        span = self._traced.asked("POST", _ROUTE, peer, request.head.traceparent)
        if span is None:
            return super().respond(request, peer)
        with span:
            response = super().respond(request, peer)
            answered(span, int(response[9:12]))
        return response
