"""Requests as spans: those of boxes that are part of a trace of theirs, and a sample of those of players.

A box's word that a request is traced counts once it has proven who it is; a stranger's never does, or anybody could
have everything traced.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from oca.common.tracing import TRACEPARENT, Span, Tracing
from steering.api.authorisation import PROVEN, PROXIED
from steering.decision.address import Trust, parse_address

OF_BOXES = "/v1/appliances/"
OF_PLAYERS = ("/v1/playback", "/steer/", "/r/")


class Traced:
    """What is traced of the API, and below which span."""

    def __init__(self, tracing: Tracing, callers: Trust) -> None:
        """``callers`` are services whose traceparent is followed, where no proxy has sent it on."""
        self._tracing = tracing
        self._callers = callers

    @property
    def gates(self) -> list[Middleware]:
        """The middleware; none where traces are off."""
        return [self._gate()] if self._tracing.is_on else []

    def asked(self, method: str, route: str, peer: str, traceparent: str) -> Span | None:
        """The span of a player's request; None: it is not recorded.

        Args:
            method: As sent.
            route: Its path, with a name for each part that is one of many.
            peer: Address of the connection's other end.
            traceparent: As sent by that end itself; empty where there is none, or a proxy may have sent on another's.
        """
        if traceparent:
            address = parse_address(peer)
            if address is None or not self._callers.covers(address):
                traceparent = ""
        if not (traceparent or self._tracing.samples()):
            return None
        return self._server_span(method, route, traceparent)

    def _gate(self) -> Middleware:
        @web.middleware
        async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
            span = self._span_of(request)
            if span is None:
                return await handler(request)
            with span:
                try:
                    response = await handler(request)
                finally:
                    if request.path.startswith(OF_BOXES) and PROVEN not in request:
                        span.forget()
                answered(span, response.status)
            return response

        return gate

    def _span_of(self, request: web.Request) -> Span | None:
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else ""
        traceparent = request.headers.get(TRACEPARENT, "")
        if route.startswith(OF_PLAYERS):
            is_proxied = any(name in request.headers for name in PROXIED)
            return self.asked(request.method, route, request.remote or "", "" if is_proxied else traceparent)
        if route.startswith(OF_BOXES) and traceparent:
            return self._server_span(request.method, route, traceparent)
        return None

    def _server_span(self, method: str, route: str, traceparent: str) -> Span:
        attributes = {"http.request.method": method, "http.route": route, "url.scheme": "http"}
        return self._tracing.root(f"{method} {route}", attributes, kind="server", parent=traceparent)


def answered(span: Span, status: int) -> None:
    """Note a request's status; a fault of ours makes it a failed one (semantic conventions for HTTP servers)."""
    span.set({"http.response.status_code": status})
    if status >= 500:
        span.set({"error.type": str(status)})
        span.fail("")
