"""Answers plain playback requests without aiohttp, whose share of such an answer is greater than the decision's.

The same checks, decision and answer as by aiohttp's way, which takes whatever is not plain; a test holds both side by
side. How the bytes come and go is the connection's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Literal

import msgspec

from oca.common.clock import now_s
from oca.common.messages import Problem
from oca.common.problem import decoded, problem_of
from steering.api.app import CORS
from steering.api.messages import PlaybackRequest
from steering.players.api import FRESH
from steering.players.plain_request import TARGET, PlainRequest, PlainRequests
from steering.players.playback import Caller, Playback
from steering.trust.limits import Limits

_requests = msgspec.json.Decoder(PlaybackRequest)
_encode = msgspec.json.Encoder().encode
_FIELDS = "".join(f"{name}: {value}\r\n" for name, value in {**FRESH, **CORS}.items())


class Express:
    """Over the same parts as aiohttp's handlers."""

    def __init__(self, playback: Playback, limits: Limits) -> None:
        self._playback = playback
        self._limits = limits
        self._requests = PlainRequests()
        self._second = 0
        self._fields = self._answered = b""

    def answer(self, data: bytes, peer: str) -> tuple[bytes, int] | Literal["incomplete", "other"]:
        """The response to the request that ``data`` begins with, and how many bytes of it that took."""
        request = self._requests.read(data) if self._playback.ready else "other"
        if isinstance(request, str):
            return request
        return self.respond(request, peer), request.taken

    def respond(self, request: PlainRequest, peer: str) -> bytes:
        """The response to a request that came from ``peer``."""
        head = request.head
        if (at_s := int(now_s())) != self._second:
            self._date(at_s)
        try:
            self._limits.take(peer, head.forwarded)
            body = self._playback.body(decoded(request.body, _requests), Caller(peer, head.forwarded, head.host))
        except Exception as error:  # noqa: BLE001 - as in aiohttp's way: what goes wrong is told by problem details
            problem, headers = problem_of(error, TARGET.decode())
            return self._refusal(problem, headers)
        return b"%b%d\r\n\r\n%b" % (self._answered, len(body), body)

    def _date(self, at_s: int) -> None:
        self._second = at_s
        self._fields = f"{_FIELDS}Date: {formatdate(at_s, usegmt=True)}\r\n".encode()
        self._answered = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%bContent-Length: " % self._fields

    def _refusal(self, problem: Problem, headers: Mapping[str, str]) -> bytes:
        body = _encode(problem)
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = (
            f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n"
            f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n{more}"
        )
        return b"%b%b\r\n%b" % (head.encode(), self._fields, body)
