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
from oca.common.problem import decoded, problem_of
from steering.api import CORS
from steering.api_messages import PlaybackRequest
from steering.api_players import FRESH
from steering.plain_request import TARGET, PlainRequests
from steering.playback import Caller, Playback
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
        self._fields = ""

    def answer(self, data: bytes, peer: str) -> tuple[bytes, int] | Literal["incomplete", "other"]:
        """The response to the request that ``data`` begins with, and how many bytes of it that took."""
        request = self._requests.read(data) if self._playback.ready else "other"
        if isinstance(request, str):
            return request
        head = request.head
        caller = Caller(peer, head.forwarded, head.host)
        try:
            self._limits.take(peer, head.forwarded)
            answer = self._playback.answer(decoded(request.body, _requests), caller)
        except Exception as error:  # noqa: BLE001 - as in aiohttp's way: what goes wrong is told by problem details
            problem, headers = problem_of(error, TARGET.decode())
            media_type, status, body = "application/problem+json", problem.status, _encode(problem)
        else:
            media_type, status, headers, body = "application/json", 200, {}, _encode(answer)
        return self._head(status, media_type, len(body), headers) + body, request.taken

    def _head(self, status: int, media_type: str, body_bytes: int, headers: Mapping[str, str]) -> bytes:
        at_s = int(now_s())
        if at_s != self._second:
            self._second, self._fields = at_s, f"{_FIELDS}Date: {formatdate(at_s, usegmt=True)}\r\n"
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {media_type}\r\n"
            f"Content-Length: {body_bytes}\r\n{self._fields}{more}\r\n"
        ).encode()
