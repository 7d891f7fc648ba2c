"""What a viewer is answered whom the store cannot serve: not found, a redirect, too many. Pure.

Never 503, and never silence: players leave a 404, a 429 or a redirect within hundredths of a second, hls.js a 503 only
after 16 seconds, and dash.js a hang never.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from oca.delivery.miss_settings import MissTable, Turn
from oca.http1.request import Request
from oca.http1.response import Reply, answer, cache_status, refusal

MissClass = Literal["content", "health", "authorisation"]
"""Why there is nothing to send: not held; held, but its device or pack fails; the viewer may not have it."""

_OBJECT_PATH = re.compile(rb"(/[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]*)+")
"""As ``oca.common.messages.UrlPath`` without its length, for a signed URL's path is longer. No dot segments, nothing
that has to be escaped: it can be put into a URL as it is."""
_LOOP_NAME = re.compile(r"[A-Za-z0-9.:_-]{1,100}")
LOOP_NAMES_MAX = 8
"""Servers that a request may have come through."""
TARGET_BYTES_MAX = 32768
"""Of any target that the parser lets through."""
OBJECT_PATH_BYTES_MAX = 480
"""As ``UrlPath``: of an object's own path, without a token."""
UNCOUNTED = b"-uncounted"
"""After the marker, on a redirect of a viewer whose demand this box did not count: the next box does."""
_DETAILS: dict[MissClass, str] = {
    "content": "not-held",
    "health": "device-fails",
    "authorisation": "not-authorised",
}


class Miss(NamedTuple):
    """A request that missed, without its token; ``asked`` is how a redirect is to have it."""

    request: Request
    asked: Request
    missed: MissClass


class Answered(NamedTuple):
    """What a viewer gets who is not served; ``sent_on`` where it names the fallback."""

    reply: Reply
    sent_on: bool


def is_object_path(path: bytes, *, bytes_max: int = TARGET_BYTES_MAX) -> bool:
    """Whether an object can have this path at all."""
    return len(path) <= bytes_max and _OBJECT_PATH.fullmatch(path) is not None


def extend_loop(chain: bytes | None, name: str) -> str:
    """The CDN-Loop of what is asked upstream (RFC 8586 §2); empty where the request came through here before."""
    stated = (chain or b"").decode("latin-1")
    names = [part.partition(";")[0].strip() for part in stated.split(",")] if stated else []
    if name in names or len(names) >= LOOP_NAMES_MAX or not stated.isprintable():
        return ""
    return ", ".join([*(each for each in names if _LOOP_NAME.fullmatch(each)), name])


def is_marked(query: bytes, marker: bytes) -> bool:
    """Whether a redirect that carries ``marker`` sent the viewer here."""
    if not marker:
        return False
    parts = query.split(b"&")
    return marker in parts or marker + b"=" in parts  # as steering's /r passes it on


class MissPolicy:
    """Answers requests that the store cannot, by the settings."""

    def __init__(self, table: MissTable, *, appliance: str) -> None:
        self._table = table
        self._base = table.fallback_url.rstrip("/").encode()
        self._marker = table.redirect_marker.encode()
        self._appliance = appliance

    def reply(self, request: Request, missed: MissClass, *, counted: bool) -> Answered:
        """The answer to a miss: a redirect where that is set and may be, else 404.

        ``counted`` tells whether it counts here as demand, and is not to count at the next box.
        """
        extra = b""
        if self._table.debug:  # RFC 9211 §2.8: detail is for whoever looks into a problem
            extra = cache_status(self._appliance, f"detail={_DETAILS[missed]}")
        not_found = refusal(404, b"no such object here\n", extra, to=request)
        return self._redirect(request, extra, counted=counted) or Answered(not_found, sent_on=False)

    def turned_away(self, request: Request, turn: Turn, *, counted: bool, retry_after_s: int) -> Answered:
        """The answer to a viewer whom the box does not take now; then the connection closes.

        ``counted`` as in ``reply``.
        Which viewers are taken is decided by connection: the next one may be, on one of its own.
        """
        if request.method == "OPTIONS":
            return Answered(answer(request, None), sent_on=False)
        if turn == "redirect" and (answered := self._redirect(request, b"", counted=counted, close=True)):
            return answered
        if turn == "not-found":
            return Answered(refusal(404, b"not served here now\n", to=request, close=True), sent_on=False)
        extra = b"Retry-After: %d\r\n" % retry_after_s  # RFC 6585 §4
        return Answered(refusal(429, b"no more viewers here now\n", extra, to=request, close=True), sent_on=False)

    def _redirect(self, request: Request, extra: bytes, *, counted: bool, close: bool = False) -> Answered | None:
        """A redirect to the fallback; None where none is set, or where it would send on whom another box sent.

        A fill agent is told the truth instead: it asks a peer for what that peer holds, and goes on down its list.
        """
        path, query, marker = request.path, request.query, self._marker
        if not self._base or request.fields.fill or not is_object_path(path):
            return None
        if marker:
            uncounted = marker + UNCOUNTED
            if is_marked(query, marker) or is_marked(query, uncounted):
                return None
            marker = marker if counted else uncounted
            query = query + b"&" + marker if query else marker
        location = self._base + path + (b"?" + query if query else b"")
        extra = b"Location: %b\r\n%b" % (location, extra)
        return Answered(refusal(self._table.redirect_status, b"", extra, to=request, close=close), sent_on=True)
