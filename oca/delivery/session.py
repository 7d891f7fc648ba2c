"""One viewer's connection: bytes to the parser, requests to the look-up, answers to the transport; in order."""

from __future__ import annotations

import socket
import struct

from msgspec import structs

from oca.delivery.acknowledged import Taking
from oca.delivery.lookup import Found
from oca.delivery.metrics import DELIVERY_SLOTS
from oca.delivery.players import Player
from oca.delivery.reading import Reading
from oca.delivery.service import STATUS_SLOTS, Service
from oca.delivery.transport import SHORTAGE, Cause, Transport
from oca.http1.parser import RequestReader
from oca.http1.request import Request, RequestError
from oca.http1.response import Reply, answer, refuse
from oca.store.reader import OpenPack

RECEIVE_BYTES = 16384
TURN_REQUESTS_MAX = 16
"""Pipelined requests answered in one go before other connections get their turn."""
LINGER_S = 2.0
LINGER_BYTES_MAX = 256 * 1024
"""How long and how much is read and dropped after the last answer: closing on unread bytes would reset the
connection and could take the answer with it (RFC 9112 §9.6)."""

_RESET = struct.pack("ii", 1, 0)
_OK = STATUS_SLOTS[200]
_REFUSALS = {key.partition(":")[2]: place for key, place in DELIVERY_SLOTS.items() if "refusals:" in key}
_CUTS = {key.partition(":")[2]: place for key, place in DELIVERY_SLOTS.items() if "sends_cut:" in key}
_IDLE = DELIVERY_SLOTS["delivery_time_outs:idle"]
_HEAD = DELIVERY_SLOTS["delivery_time_outs:head"]
_USED_UP = DELIVERY_SLOTS["delivery_connections_used_up"]
_CROWDED = DELIVERY_SLOTS["delivery_pipelining_pauses"]


class Session:
    """Serves one connection until either side ends it."""

    __slots__ = (
        "_active_at_s",
        "_closed",
        "_closing",
        "_connection",
        "_eof",
        "_fill",
        "_head_since_s",
        "_lingered_bytes",
        "_lingering",
        "_player",
        "_queued",
        "_reading",
        "_receive",
        "_requests",
        "_requests_left",
        "_sending",
        "_sending_bytes",
        "_service",
        "_taking",
        "_transport",
        "client",
    )

    def __init__(self, connection: socket.socket, client: str, service: Service) -> None:
        connection.setblocking(False)
        self._connection = connection
        self.client = client
        """The peer's IP address, as the socket tells it."""
        self._receive = connection.recv
        self._service = service
        self._requests = RequestReader(service.limits, service.known)
        self._transport = Transport(
            connection, service.loop, service.counts, sent=self._on_sent, failed=self._on_failed
        )
        self._active_at_s = self._head_since_s = service.now_s
        self._closed = self._closing = self._eof = self._lingering = self._fill = self._queued = False
        self._lingered_bytes = self._sending_bytes = 0
        self._requests_left = service.settings.requests_per_connection_max
        self._sending: Found | None = None
        self._taking = Taking(connection, service.pace, service.now_s)
        self._reading = Reading(connection.fileno(), service.loop, service.counts, self._on_readable)
        self._player = Player(service.players, connection, client) if service.players is not None else None
        service.join(self)

    def check(self, now_s: float) -> None:
        """End the connection if it has overstayed a time-out."""
        limits = self._service.settings
        if self._lingering:
            if now_s - self._active_at_s > LINGER_S and not self._owes(now_s, anew=True):
                self._close()
        elif self._transport.waiting:
            self._owes(now_s)
        elif self._requests.pending_bytes:
            if now_s - self._head_since_s > limits.head_timeout_s:
                self._service.counts[_HEAD] += 1
                self._refuse(RequestError("head-time-out", "the head took too long", status=408))
        else:
            answered = self._requests_left < limits.requests_per_connection_max
            rest_s = limits.idle_timeout_s if answered else limits.head_timeout_s
            over = now_s - self._active_at_s > rest_s
            if not (answered and self._owes(now_s, anew=over)) and over:
                self._service.counts[_IDLE] += 1
                self._close()

    def _owes(self, now_s: float, *, anew: bool = False) -> bool:
        """Whether the client has yet to take what it was sent; one that is too slow is cut off."""
        state = self._taking.look(now_s, waiting=self._transport.waiting, anew=anew)
        if state in ("slow", "stalled"):
            self._cut(state)
        return state != "done"

    def drain(self) -> None:
        """Close now if nothing is being sent, else after it."""
        self._closing = True
        if not self._transport.waiting and not self._lingering:
            self._finish()

    def reset(self) -> None:
        """End the connection at once; a response on its way is cut."""
        if self._transport.waiting:
            self._cut("drain")
        else:
            self._close()

    def _on_readable(self) -> None:
        try:
            data = self._receive(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno in SHORTAGE:
                self._reading.rest()
            else:
                self._gone()
            return
        if not data:
            self._ended()
            return
        if self._lingering:
            self._lingered_bytes += len(data)
            if self._lingered_bytes > LINGER_BYTES_MAX:
                self._close()
            return
        requests = self._requests
        if not requests.pending_bytes:
            self._head_since_s = self._service.now_s
        requests.feed(data)
        if not (self._transport.waiting or self._queued):
            self._serve()
        elif self._crowded():
            # Enough pipelined requests wait; the rest may wait in the client's own socket.
            self._service.counts[_CROWDED] += 1
            self._reading.pause()

    def _next_turn(self) -> None:
        """The other connections had theirs."""
        self._queued = False
        self._serve_on()

    def _serve_on(self) -> None:
        """Answer what waits; take more from the client when little is left."""
        self._serve()
        if not (self._reading.on or self._closed or self._eof or self._crowded()):
            self._reading.resume()

    def _crowded(self) -> bool:
        requests, service = self._requests, self._service
        return (
            requests.pending_bytes > service.limits.head_bytes_max
            or requests.heads_pending > service.settings.pipelined_max
        )

    def _serve(self) -> None:
        """Answer the requests that are here, until one cannot be sent at once."""
        if self._closed or self._lingering or self._transport.waiting:
            return
        for _ in range(TURN_REQUESTS_MAX):
            try:
                request = self._requests.next()
            except RequestError as error:
                self._refuse(error)
                return
            if request is None:
                if self._eof:
                    self._finish()
                return
            if not self._answer(request):
                return
            if self._closing:
                self._finish()
                return
        self._queued = True
        self._service.queue(self._next_turn)

    def _answer(self, request: Request) -> bool:
        """Send the answer; False when it goes on in the background or the connection is gone."""
        service = self._service
        self._active_at_s = self._head_since_s = service.now_s
        left = self._requests_left = self._requests_left - 1
        found = service.lookup.kept.get(request.path) or service.lookup.find(request.path)
        fields = request.fields
        if self._player is not None:
            self._player.asks(request, found)
        usual = fields.plain and request.persistent and request.minor and request.method == "GET" and left
        if usual and found is not None and found.size:
            service.counts[_OK] += 1
            if self._transport.send_file(found.head + service.date, found.pack, found.offset, found.size):
                if not fields.fill:
                    found.count.requests += 1
                    found.count.bytes += found.size
                return True
            return self._goes_on(found, found.size, fill=fields.fill)
        if not left:
            service.counts[_USED_UP] += 1
            request = structs.replace(request, persistent=False)
        return self._reply(answer(request, found.about if found is not None else None), found, fill=fields.fill)

    def _reply(self, reply: Reply, found: Found | None, *, fill: bool) -> bool:
        service = self._service
        service.counts[STATUS_SLOTS[reply.status]] += 1
        self._closing = self._closing or reply.close
        head = reply.head + service.date
        if found is None or not reply.length:
            return self._transport.send(head + reply.text)
        if self._player is not None and reply.status == 206:
            self._player.sent_bytes += reply.length
        if self._transport.send_file(head, found.pack, found.offset + reply.first, reply.length):
            self._count(found, reply.length, fill=fill)
            return True
        return self._goes_on(found, reply.length, fill=fill)

    def _goes_on(self, found: Found, length: int, *, fill: bool) -> bool:
        if self._transport.waiting:
            self._sending, self._sending_bytes, self._fill = found, length, fill
        return False

    def _count(self, found: Found, length: int, *, fill: bool) -> None:
        if not fill:
            count = self._service.demand.of(found.pack.asset)
            count.requests += 1
            count.bytes += length

    def _on_sent(self) -> None:
        if self._sending is not None:
            self._count(self._sending, self._sending_bytes, fill=self._fill)
            self._sending = None
        self._active_at_s = self._head_since_s = self._service.now_s
        if self._closing:
            self._finish()
            return
        self._serve_on()

    def _on_failed(self, cause: Cause, pack: OpenPack | None) -> None:
        self._service.counts[_CUTS[cause]] += 1
        if cause != "client" and pack is not None:
            why = "shorter than its index says" if cause == "pack" else "its device fails"
            self._service.lookup.spoil(pack.asset, why)
        self._sending = None
        self._abort()

    def _refuse(self, error: RequestError) -> None:
        self._service.counts[_REFUSALS[error.reason]] += 1
        if self._reply(refuse(error), None, fill=False):
            self._finish()

    def _ended(self) -> None:
        """The client sends no more. What it asked for before is still answered (RFC 9112 §9.6)."""
        self._eof = True
        self._reading.pause()
        if self._lingering:
            self._close()
        elif not (self._transport.waiting or self._queued):
            self._finish()

    def _gone(self) -> None:
        if self._transport.waiting:
            self._cut("client")
        else:
            self._close()

    def _finish(self) -> None:
        """Say that no more comes, then wait for the client to say so too."""
        if self._eof:
            self._close()
            return
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:  # the client is gone already
            self._close()
            return
        self._lingering = True
        self._active_at_s = self._service.now_s
        self._reading.resume()

    def _cut(self, cause: str) -> None:
        """End a response before its last byte: by a reset, so that the client cannot take it for whole."""
        self._service.counts[_CUTS[cause]] += 1
        self._transport.stop()
        self._abort()

    def _abort(self) -> None:
        if not self._closed:
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._close()

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._reading.stop()
        self._transport.stop()
        self._transport.release()
        self._connection.close()
        if self._player is not None:
            self._player.leave()
        self._service.leave(self)
