"""The connections of the HTTP API: how many there may be, and how long each may keep us waiting.

aiohttp ends idle connections. It does not bound their number, nor the time for a first request or for taking an
answer, and it writes a traceback for each request that is no HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from oca.common.clock import monotonic_s
from oca.common.descriptors import raise_limit
from oca.common.log import get_logger
from steering.metrics import Counts
from steering.players.express import Express
from steering.trust.crowd import Crowd

FIRST_REQUEST_S_MAX = 15.0
IDLE_S_MAX = 75.0  # reverse proxies let go of theirs after 60 s; the first to close spoils no request
STALLED_S_MAX = 30.0
LINGERING_S_MAX = 2.0  # for what is left of a refused body
PIPELINED_MAX = 4  # answered at once; then others have their turn. With 2, p99 beside a table is a quarter worse
DESCRIPTORS_KEPT = 64  # for the state, the page's files, threads and the log
_log = get_logger("api")


def connections_limit(wanted: int) -> int:
    """``wanted``, or as many as there can be descriptors for; raises the limit of these as far as we may."""
    descriptors_max = raise_limit()
    possible = max(1, descriptors_max - DESCRIPTORS_KEPT)
    if wanted <= possible:
        return wanted
    _log.warning(
        "fewer connections than api.connections_max: too few descriptors",
        connections_max=possible,
        wanted=wanted,
        remedy=f"raise LimitNOFILE to {wanted + DESCRIPTORS_KEPT}, or lower api.connections_max",
    )
    return possible


class Connections:
    """Makes each connection's protocol, as ``loop.create_server`` asks for it."""

    def __init__(
        self,
        server: web.Server,
        counts: Counts,
        connections_max: int,
        crowd: Crowd | None = None,
        express: Express | None = None,
    ) -> None:
        self.express = express
        self._server = server
        self._crowd = crowd
        self._counts = counts
        self._connections_max = connections_max
        self._full = False

    def __call__(self) -> Connection:
        """The protocol of one more connection."""
        return Connection(self._server, self)

    def take(self, peer: str) -> bool:
        """Whether one more from the address ``peer`` may begin; it must then ``leave``."""
        if self._counts.values["steering_connections"] >= self._connections_max:
            self.closed("refused")
            if not self._full:
                self._full = True
                _log.warning(
                    "connections are refused: as many as may be are open",
                    connections_max=self._connections_max,
                    remedy="raise api.connections_max, and LimitNOFILE with it, or find out who holds them",
                )
            return False
        if self._crowd is not None and not self._crowd.enter(peer):
            self.closed("crowded")
            return False
        self._counts.add("steering_connections")
        return True

    def leave(self, peer: str) -> None:
        """One from ``peer`` has ended."""
        if self._crowd is not None:
            self._crowd.leave(peer)
        self._counts.add("steering_connections", -1)
        if self._counts.values["steering_connections"] < self._connections_max * 0.9:
            self._full = False

    def closed(self, reason: str) -> None:
        """Count a connection that we ended."""
        self._counts.add(f"steering_connections_closed:{reason}")


class Connection(web.RequestHandler):
    """aiohttp's protocol, with what it lacks.

    As long as only plain playback requests come, aiohttp is told of none of them; from the first other one on, it has
    the connection to itself. Requests that come faster than they are answered, or than answers are taken, wait here:
    one moment of that must not cost all that follow aiohttp's way.
    """

    __slots__ = ("_answered_at_s", "_connections", "_express", "_held", "_lost", "_peer", "_stalls", "_taken", "_waits")

    def __init__(self, server: web.Server, connections: Connections) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=cast(Any, None),
            keepalive_timeout=IDLE_S_MAX,
            lingering_time=LINGERING_S_MAX,
            auto_decompress=False,  # what is refused would be inflated too, to skip it
        )
        self._connections = connections
        self._express = connections.express
        self._held = b""
        self._answered_at_s = 0.0
        self._taken = False
        self._lost: asyncio.Future[None] | None = None  # once somebody waits for it
        self._peer = ""
        self._waits: asyncio.TimerHandle | None = None  # for a request
        self._stalls: asyncio.TimerHandle | None = None  # for what we wrote to be taken; whatever else is waited for

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it, or end it at once where there are too many."""
        socket = cast(asyncio.Transport, transport)
        peer = socket.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        self._taken = self._connections.take(self._peer)
        if not self._taken:
            socket.abort()
            return
        socket.set_write_buffer_limits(0)  # so that we are told of whatever the client does not take
        super().connection_made(transport)
        if self._express is not None and self._keepalive_handle is not None:
            self._keepalive_handle.cancel()  # it knows of no plain request, and would end what is in use; ours bound it
            self._keepalive_handle = None
        self._wait(FIRST_REQUEST_S_MAX, self._end_silent)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let go."""
        self._wait_no_more()
        self._watch_no_more()
        if self._taken:
            self._connections.leave(self._peer)
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(None)
        super().connection_lost(exc)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - as aiohttp has it
        """Answer the plain requests that wait, too; what comes from now on is none of ours."""
        express, transport, self._express = self._express, self.transport, None
        if express is not None and transport is not None and self._held:
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(timeout):
                    await self._answer_rest(express, transport)
        await super().shutdown(timeout)

    async def _answer_rest(self, express: Express, transport: asyncio.Transport) -> None:
        """Then let the client close it: unread bytes make an RST of our close, which destroys answers on their way."""
        data, self._held = self._held, b""
        outcome = "full"
        while outcome == "full":
            await self._drain_helper()
            data, outcome = self._answered(express, transport, data)
            await asyncio.sleep(0)
        await self._drain_helper()
        if transport.is_closing():
            return
        self._lost = asyncio.get_running_loop().create_future()
        transport.write_eof()
        if not transport.is_reading():
            transport.resume_reading()
        await asyncio.wait_for(self._lost, LINGERING_S_MAX)

    def data_received(self, data: bytes) -> None:
        """Once a request has begun, idle and body time-outs bound the wait for the next."""
        if self._express is not None:
            self._held += data
            self._answer_held(self._express)
        else:
            self._pass_on(data)

    def _answer_held(self, express: Express) -> None:
        """Answer plain requests as far as it is their turn; what is none goes to aiohttp, with all that follows."""
        transport = self.transport
        if transport is None:
            self._held = b""
            return
        self._held, outcome = self._answered(express, transport, self._held)
        if outcome == "full":
            transport.pause_reading()
            if not self._paused:
                asyncio.get_running_loop().call_soon(self._go_on)
        elif not (transport.is_reading() or transport.is_closing()):
            transport.resume_reading()
        if outcome == "other":
            data, self._held, self._express = self._held, b"", None
            if self._answered_at_s:  # aiohttp bounds what follows only once it has had a request
                self._wait(FIRST_REQUEST_S_MAX, self._end_silent)
            self._pass_on(data)

    def _answered(
        self, express: Express, transport: asyncio.Transport, data: bytes
    ) -> tuple[bytes, Literal["incomplete", "other", "full"]]:
        """What is left, and whether it may become a plain request, is none, or has to wait."""
        answered = 0
        outcome: Literal["incomplete", "other", "full"] = "incomplete"
        while data:
            if self._force_close or transport.is_closing():
                return b"", "incomplete"
            if self._paused or answered == PIPELINED_MAX:
                outcome = "full"
                break
            response = express.answer(data, self._peer)
            if isinstance(response, str):
                outcome = response
                break
            transport.write(response[0])
            answered, data = answered + 1, data[response[1] :]
        if answered:
            if not self._answered_at_s:
                self._wait(IDLE_S_MAX, self._end_idle)
            self._answered_at_s = monotonic_s()
        return data, outcome

    def _go_on(self) -> None:
        if self._express is not None and self._held:
            self._answer_held(self._express)

    def _pass_on(self, data: bytes) -> None:
        first = self._request_count == 0
        super().data_received(data)
        self._let_go()
        if first and self._request_count:
            self._wait_no_more()

    def _end_idle(self) -> None:
        """After plain requests alone, which aiohttp does not know of."""
        idle_s = monotonic_s() - self._answered_at_s
        if idle_s < IDLE_S_MAX:
            self._wait(IDLE_S_MAX - idle_s, self._end_idle)
        elif self._held and self._paused:  # it has asked for more than it takes: that has a watch of its own
            self._wait(IDLE_S_MAX, self._end_idle)
        elif self.transport is not None:
            self.transport.close()  # once what waits is taken, which the watch over it bounds

    def pause_writing(self) -> None:
        """The client does not take its answer as fast as we write it."""
        super().pause_writing()
        if self.transport is not None:
            self._watch_stall(self.transport)

    def resume_writing(self) -> None:
        """It takes it again."""
        super().resume_writing()
        self._watch_no_more()
        if self._held:
            asyncio.get_running_loop().call_soon(self._go_on)

    async def _handle_request(self, request: web.BaseRequest, *args: Any) -> tuple[web.StreamResponse, bool]:
        try:
            return await super()._handle_request(request, *args)
        finally:
            self._let_go(request.content.exception())

    def _let_go(self, broken: BaseException | None = None) -> None:
        """Of the frames that an error in a body or in what came last went through: they hold it, and what came."""
        for error in (broken, getattr(self._messages[-1][0], "exc", None) if self._messages else None):
            if error is not None:
                error.__traceback__ = None

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log our own faults: a client's are answered with 400, and a line for each would let it fill the disk."""
        if not isinstance(kw.get("exc_info"), HttpProcessingError | web.RequestPayloadError):
            super().log_exception(*args, **kw)

    def _end_silent(self) -> None:
        self._connections.closed("silent")
        self.force_close()

    def _watch_stall(self, transport: asyncio.Transport) -> None:
        waiting_bytes = transport.get_write_buffer_size()
        loop = asyncio.get_running_loop()
        self._stalls = loop.call_later(STALLED_S_MAX, self._end_stalled, transport, waiting_bytes)

    def _watch_no_more(self) -> None:
        if self._stalls is not None:
            self._stalls.cancel()
            self._stalls = None

    def _end_stalled(self, transport: asyncio.Transport, waiting_bytes: int) -> None:
        if transport.get_write_buffer_size() < waiting_bytes:
            self._watch_stall(transport)
            return
        self._connections.closed("stalled")
        transport.abort()

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._wait_no_more()
        self._waits = asyncio.get_running_loop().call_later(seconds, then)

    def _wait_no_more(self) -> None:
        if self._waits is not None:
            self._waits.cancel()
            self._waits = None
