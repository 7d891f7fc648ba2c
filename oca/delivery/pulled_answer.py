"""One viewer's answer of an object that is still on its way: sent as far as it is here, then as more comes."""

from __future__ import annotations

from typing import Protocol

from oca.delivery.miss_policy import Miss
from oca.delivery.pull import Pull
from oca.delivery.transport import Transport
from oca.http1.response import Reply, answer


class Recipient(Protocol):
    """The session, as this answer drives it."""

    def pull_begins(self, reply: Reply) -> bytes:
        """The answer is known: its head, to be sent now."""

    def pull_ends(self, miss: Miss, sent_bytes: int) -> None:
        """All of it is with the kernel: of its body ``sent_bytes``."""

    def pull_fails(self) -> None:
        """There is none: nothing was sent yet."""

    def pull_breaks(self) -> None:
        """It ends before its last byte."""


class PulledAnswer:
    """Of several ranges the whole is sent. ``begun_ns`` is when the request of ``miss`` came."""

    __slots__ = ("_at", "_end", "_length", "_pull", "_recipient", "_sending", "_transport", "begun_ns", "miss")

    def __init__(self, pull: Pull, miss: Miss, transport: Transport, recipient: Recipient, *, begun_ns: int) -> None:
        self._pull: Pull | None = pull
        self._transport = transport
        self._recipient = recipient
        self.miss = miss
        self.begun_ns = begun_ns
        self._at, self._end, self._length = 0, -1, 0
        self._sending = False
        pull.join(self)
        transport.hold(0)

    def advance(self) -> None:
        """Send what can be sent, unless earlier bytes are still on their way out."""
        pull = self._pull
        if pull is None or self._sending:
            return
        if self._end < 0:
            if pull.about is not None:
                reply = answer(self.miss.request, pull.about, 1)
                self._length = reply.length
                self._at, self._end = reply.first, reply.first + reply.length
                self._send(pull, self._recipient.pull_begins(reply) + reply.text)
            elif pull.fault is not None:
                self.leave()
                self._recipient.pull_fails()
        elif min(pull.have, self._end) > self._at:
            self._send(pull, b"")
        elif pull.fault is not None:
            self.leave()
            self._recipient.pull_breaks()

    def sent(self) -> None:
        """What went on in the background is with the kernel."""
        self._sending = False
        self._go_on()

    def leave(self) -> None:
        """Want no more of it."""
        if self._pull is not None:
            pull, self._pull = self._pull, None
            pull.leave(self)

    def _send(self, pull: Pull, head: bytes) -> None:
        at, length = self._at, max(0, min(pull.have, self._end) - self._at)
        self._transport.let_go()
        self._at += length
        if length and pull.pack is not None:
            sent = self._transport.send_file(head, pull.pack, pull.offset + at, length)
        else:
            sent = self._transport.send(head)
        if sent:
            self._go_on()
        else:  # or the connection is gone, and this answer with it
            self._sending = self._transport.waiting

    def _go_on(self) -> None:
        if self._pull is None:
            return
        if self._at >= self._end:
            self.leave()
            self._recipient.pull_ends(self.miss, self._length)
        else:
            self._transport.hold(self._end - self._at)
            self.advance()
