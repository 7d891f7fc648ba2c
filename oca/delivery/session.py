"""One viewer's connection: bytes to the parser, requests to the look-up, answers to the transport; in order."""

from __future__ import annotations

import socket

from msgspec import structs

from oca.common.clock import monotonic_ns
from oca.delivery.connection import Connection
from oca.delivery.first_slice import read_first
from oca.delivery.lookup import Found
from oca.delivery.metrics import DELIVERY_SLOTS, labelled
from oca.delivery.miss_policy import Miss
from oca.delivery.players import Player
from oca.delivery.pull import Pull
from oca.delivery.pulled_answer import PulledAnswer
from oca.delivery.room import can_go
from oca.delivery.send_errors import SHORTAGE
from oca.delivery.service import STATUS_SLOTS, Service
from oca.delivery.transport import Transport
from oca.delivery.usual import recognise
from oca.http1.parser import RequestReader
from oca.http1.request import Fields, Request, RequestError
from oca.http1.response import Reply, answer, refuse

RECEIVE_BYTES = 16384
TURN_REQUESTS_MAX = 2
"""Pipelined requests answered in one go before other connections get their turn; of those that just came, one."""
_OK = STATUS_SLOTS[200]
_REFUSALS = labelled("delivery_refusals")
_IDLE = DELIVERY_SLOTS["delivery_time_outs:idle"]
_HEAD = DELIVERY_SLOTS["delivery_time_outs:head"]
_USED_UP = DELIVERY_SLOTS["delivery_connections_used_up"]
_CROWDED = DELIVERY_SLOTS["delivery_pipelining_pauses"]


class Session(Connection):
    """Serves one connection until either side ends it."""

    __slots__ = (
        "_fresh", "_head_since_s", "_player", "_pulled", "_queued", "_receive", "_requests", "_requests_left",
    )  # fmt: skip

    def __init__(
        self, connection: socket.socket, client: str, service: Service, by: type[Transport] = Transport
    ) -> None:
        super().__init__(connection, client, service, by)
        self._receive = connection.recv
        self._requests = RequestReader(service.limits, service.known)
        self._head_since_s = service.now_s
        self._requests_left = service.settings.requests_per_connection_max
        self._queued = False
        self._pulled: PulledAnswer | None = None
        self._fresh = service.misses.turning is None
        """Whether nothing of an earlier request is left to do (no bytes that wait, no answer on its way, no end), and
        its first request need not be turned away."""
        self._player = Player(service.players, connection, client) if service.players is not None else None

    def check(self, now_s: float) -> None:
        """End the connection if it has overstayed a time-out."""
        limits = self._service.settings
        if self._transport.waiting:
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

    def drain(self, *, gently: bool = False) -> None:
        """As every connection; the next request is not just any."""
        self._fresh = False
        super().drain(gently=gently)

    def can_go(self, now_s: float) -> bool:
        """Whether its client keeps it waiting for long."""
        if self._transport.waiting or self._queued or self._pulled is not None:
            return False
        asked = self._requests_left < self._service.settings.requests_per_connection_max
        return can_go(now_s, self._active_at_s, asked=asked)

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
        if self._fresh and (usual := recognise(data, self._service)) is not None and self._requests_left > 1:
            found, fields, query = usual
            self._answer_usual(found, fields, query)
            return
        if not data:
            self._ended()
            return
        self._fresh = False
        requests = self._requests
        if not requests.pending_bytes:
            self._head_since_s = self._service.now_s
        requests.feed(data)
        if not (self._transport.waiting or self._queued):
            self._serve(1)
        elif self._crowded():
            # Enough pipelined requests wait; the rest may wait in the client's own socket.
            self._service.counts[_CROWDED] += 1
            self._reading.pause()

    def _answer_usual(self, found: Found, fields: Fields, query: bytes) -> None:
        service = self._service
        service.timings.begun_ns = monotonic_ns()
        self._active_at_s = service.now_s
        self._requests_left -= 1
        date = service.date
        if self._player is not None:
            date = self._player.asks(found, fields, query, service.now_s) + date
        service.counts[_OK] += 1
        if self._transport.send_file(found.head + date, found.pack, found.offset, found.size, found.text):
            self._account.usual(found, fields, query)
        else:
            self._account.request = Request("GET", found.path, fields, persistent=True, query=query)
            self._goes_on(200, found, found.size)

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
        requests, limits, settings = self._requests, self._service.limits, self._service.settings
        return requests.pending_bytes > limits.head_bytes_max or requests.has_pending(settings.pipelined_max + 1)

    def _serve(self, most: int = TURN_REQUESTS_MAX) -> None:
        """Answer the requests that are here, ``most`` in this turn, until one cannot be sent at once."""
        if self._closed or self._transport.waiting:
            return
        self._service.timings.begun_ns = monotonic_ns()
        for _ in range(most):
            try:
                request = self._requests.next()
            except RequestError as error:
                self._refuse(error)
                return
            if request is None:
                break
            if not self._answer(request):
                return
            if self._closing:
                self._finish()
                return
        else:
            if self._requests.pending_bytes:
                self._queued = True
                self._service.queue(self._next_turn)
                return
        if self._eof:
            self._finish()
        else:
            self._fresh = not (self._requests.pending_bytes or self._closing)

    def _answer(self, request: Request) -> bool:
        """Send the answer; False when it goes on in the background or the connection is gone."""
        service = self._service
        self._active_at_s = self._head_since_s = service.now_s
        left = self._requests_left = self._requests_left - 1
        self._account.request = request
        turning = service.misses.turning
        if turning is not None and (turning.everyone or left + 1 == service.settings.requests_per_connection_max):
            gate = service.gate
            bare, why = gate.weigh(request, self.client, self._transport.scheme, known=True) if gate else (request, "")
            self._account.request = bare
            return self._reply(service.misses.turn_away(request, bare, turning, granted=not why), None)
        asked = request
        if service.gate is not None:
            request, refusal = service.gate.judge(request, self.client, self._transport.scheme, last=not left)
            self._account.request = request
            if refusal is not None:
                service.misses.count("authorisation")
                return self._reply(refusal, None)
            if not service.misses.passes_token:
                asked = request
        found = service.lookup.kept.get(request.path) or service.lookup.find(request.path)
        if self._player is not None:
            self._player.asks(found, request.fields, request.query, service.now_s, request.cmcd)
        if not left:
            service.counts[_USED_UP] += 1
            request, asked = (structs.replace(each, persistent=False) for each in (request, asked))
        if found is None and request.method != "OPTIONS":
            step = service.misses.step(miss := Miss(request, asked, service.lookup.missed))
            if isinstance(step, Pull):
                return self._wait_for(step, miss)
            if isinstance(step, Reply):
                return self._reply(step, None)
            found = step
        about = found.about if found is not None else None
        reply = answer(request, about, service.settings.ranges_max)
        if found is None or not reply.length:
            return self._reply(reply, found)
        return read_first(service, self._transport, asked, reply, found, send=self._reply, sent=self._go_on)

    def _reply(self, reply: Reply, found: Found | None) -> bool:
        service = self._service
        service.counts[STATUS_SLOTS[reply.status]] += 1
        self._closing = self._closing or reply.close
        head = reply.head + self._date()
        length = reply.length if found is not None else 0
        if found is None or not length:
            sent = self._transport.send(head + reply.text)
        else:
            if self._player is not None and reply.status == 206:
                self._player.sent_bytes += length
            sent = self._transport.send_parts(head, found.pack, found.offset, reply)
        if sent:
            self._account.whole(reply.status, found, length)
            return True
        return self._goes_on(reply.status, found, length)

    def _date(self) -> bytes:
        """What ends a head: what the player is told, if anything, and the date."""
        date = self._service.date
        return date if self._player is None else self._player.line + date

    def _goes_on(self, status: int, found: Found | None, length: int) -> bool:
        self._fresh = False
        waiting = self._transport.waiting
        self._account.begin(status, found, length, first_out=waiting and self._transport.first_ns != 0)
        if waiting:
            self._closing = self._closing or self._service.retiring
        else:
            self._account.failed()
        return False

    def _wait_for(self, pull: Pull, miss: Miss) -> bool:
        self._fresh = False
        self._pulled = PulledAnswer(pull, miss, self._transport, self, begun_ns=self._service.timings.begun_ns)
        self._service.loop.call_soon(self._pulled.advance)
        return False

    def pull_begins(self, reply: Reply) -> bytes:
        """The answer that was waited for is known: its head, to be sent now."""
        service = self._service
        if self._pulled is not None:
            service.timings.begun_ns = self._pulled.begun_ns
        service.counts[STATUS_SLOTS[reply.status]] += 1
        self._closing = self._closing or reply.close or service.retiring
        self._account.begin(reply.status, None, reply.length, first_out=True)
        return reply.head + self._date()

    def pull_ends(self, miss: Miss, sent_bytes: int) -> None:
        """All of it is with the kernel."""
        self._pulled = None
        self._service.misses.fetched(miss, sent_bytes)
        self._on_sent()

    def pull_fails(self) -> None:
        """It does not come: answer as to any miss."""
        pulled, self._pulled = self._pulled, None
        self._transport.let_go()
        if pulled is None:
            return
        self._service.timings.begun_ns = pulled.begun_ns
        if self._reply(self._service.misses.instead(pulled.miss), None):
            self._go_on()

    def pull_breaks(self) -> None:
        """It ends before its last byte."""
        self._cut("origin")

    def _on_sent(self) -> None:
        if self._pulled is not None:
            self._pulled.sent()
            return
        self._account.end(self._transport.first_ns)
        self._go_on()

    def _go_on(self) -> None:
        """An answer that took its time is out; the next."""
        self._active_at_s = self._head_since_s = self._service.now_s
        if self._closing:
            self._finish()
            return
        self._closing = self._service.retiring
        self._serve_on()

    def _refuse(self, error: RequestError) -> None:
        self._service.counts[_REFUSALS[error.reason]] += 1
        self._account.request = None
        if self._reply(refuse(error), None):
            self._finish()

    def _ended(self) -> None:
        """The client sends no more. What it asked for before is still answered (RFC 9112 §9.6)."""
        self._eof = True
        self._reading.pause()
        if not (self._transport.waiting or self._queued):
            self._finish()

    def _leave(self) -> None:
        super()._leave()
        if self._pulled is not None:
            self._pulled.leave()
            self._pulled = None
        if self._player is not None:
            self._player.leave()
