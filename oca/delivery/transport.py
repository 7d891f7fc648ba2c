"""The one owner of what goes out on a viewer's socket: the head by ``send``, the body by ``sendfile``.

``send(head, MSG_MORE)`` leaves the head in the kernel until the first bytes of the body join it in one segment;
``os.sendfile`` then moves the body from the page cache, never through this process. One call per wake-up and
connection, ``SLICE_BYTES`` at most, so that a large body on a fast link cannot hold up the others. The head of a body
that does not fit into one piece with it goes by itself. What is not in memory is read first (``readahead``).
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, Literal

from oca.common.clock import monotonic_ns
from oca.delivery.lane import Outcome, Refusal, Waiter
from oca.delivery.metrics import DELIVERY_SLOTS
from oca.delivery.readahead import SLICE_BYTES, Reads
from oca.delivery.send_errors import PEER_GONE, SHORTAGE, SHORTAGE_PAUSE_S, WAIT
from oca.delivery.slices import CAUSES, Slices
from oca.http1.response import Reply
from oca.store.reader import OpenPack

JOINED_BYTES_MAX = 60_000
"""Bodies that leave in one piece with their head. The kernel hands 64 KiB at a time to the network; a head joined to a
larger body pushes its last bytes into one more piece, which pacing (BBR) delays by a timer:
63 to 73 µs of CPU at 64 KiB joined, 36 to 43 apart."""

Cause = Literal["client", "device", "pack", "hang"]

_CALLS = DELIVERY_SLOTS["delivery_sendfile_calls"]
_SENDFILE_BYTES = DELIVERY_SLOTS["delivery_sendfile_bytes"]
_SENT_BYTES = DELIVERY_SLOTS["delivery_sent_bytes"]
_SMALL_BYTES = DELIVERY_SLOTS["delivery_small_sent_bytes"]
_BLOCKED = DELIVERY_SLOTS["delivery_sends_blocked"]
_SENDS = DELIVERY_SLOTS["delivery_sends"]
_MEMORY_PAUSES = DELIVERY_SLOTS["delivery_memory_pauses"]


def _tell_nobody(*_: object) -> None:
    """In place of a session that is gone."""


class Transport:
    """Sends one response at a time over one non-blocking socket.

    ``send`` and ``send_file`` return True when all of it is in the kernel's hands. Otherwise they go on in the
    background and call ``sent`` at the end, or ``failed`` with whose doing it is and the pack.
    """

    scheme: ClassVar[bytes] = b"http"
    """What clients name in front of the address."""

    __slots__ = (
        "_bytes_slot", "_calls_slot", "_counts", "_failed", "_fileno", "_head", "_joined_bytes_max", "_left",
        "_loop", "_more", "_move", "_offset", "_pack", "_resuming", "_send", "_sent", "_slices", "_small_slot",
        "first_ns", "held", "unsent_bytes", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        connection: socket.socket,
        loop: asyncio.AbstractEventLoop,
        counts: memoryview[int],
        reads: Reads,
        *,
        client: str,
        sent: Callable[[], None],
        failed: Callable[[Cause, OpenPack | None], None],
    ) -> None:
        self._send: Callable[..., int] = connection.send
        self._fileno = connection.fileno()
        # How a body moves and what counts it; TLS that is not the kernel's does otherwise (delivery.tls_connection).
        self._move: Callable[[int, int, int], int] = partial(os.sendfile, self._fileno)
        self._joined_bytes_max = JOINED_BYTES_MAX
        self._calls_slot, self._bytes_slot, self._small_slot = _CALLS, _SENDFILE_BYTES, _SMALL_BYTES
        self._loop = loop
        self._counts = counts
        self._slices = Slices(reads, client)
        self._sent = sent
        self._failed = failed
        self._head = b""
        self._pack: OpenPack | None = None
        self._offset = 0
        self._left = 0
        self._more: Sequence[tuple[bytes, int, int]] = ()
        """What follows, as (text, offset, length)."""
        self._resuming: asyncio.TimerHandle | None = None
        self.waiting = False
        """Whether a response is on its way, or its first slice is."""
        self.held = False
        """Whether it waits not for the client, but for its own next bytes."""
        self.first_ns = 0
        """When the first byte of a response on its way went out, by the monotonic clock; 0: not yet."""
        self.unsent_bytes = 0
        """What was left to go of the body that went on in the background last, when it ended."""

    def send(self, data: bytes) -> bool:
        """Send a response that is all in memory."""
        try:
            taken = self._send(data)
        except OSError as error:
            return self._held(data, None, 0, 0, error)
        if taken == len(data):
            return True
        return self._wait(data[taken:], None, 0, 0)

    @property
    def fetching(self) -> bool:
        """Whether it is the device, not the client, that is waited for."""
        return self._slices.waits

    def fetch(self, pack: OpenPack, offset: int, length: int, done: Waiter) -> Refusal | None:
        """Have the first slice of a body read before its head goes out; ``done`` is told the outcome.

        Returns why not, if it is refused at once.
        """
        refusal = self._slices.read(pack, offset, length, partial(self._fetched, done), begun=False)
        self.waiting = refusal is None
        return refusal

    def send_file(self, head: bytes, pack: OpenPack, offset: int, length: int, small: bytes = b"") -> bool:
        """Send ``head``, then ``length`` bytes of ``pack`` from ``offset``, in memory so far, or at hand: ``small``."""
        if small:
            sent = self.send(head + small)
            if sent or self.waiting:
                self._counts[self._small_slot] += length
                self._counts[_SENT_BYTES] += length
            return sent
        try:
            taken = self._send(head, socket.MSG_MORE if length < self._joined_bytes_max else 0)
        except OSError as error:
            return self._held(head, pack, offset, length, error)
        if taken != len(head):
            return self._wait(head[taken:], pack, offset, length)
        try:
            moved = self._move(pack.descriptor, offset, min(SLICE_BYTES, length))
        except OSError as error:
            return self._interrupted(b"", pack, offset, length, error)
        counts = self._counts
        counts[self._calls_slot] += 1
        counts[self._bytes_slot] += moved
        counts[_SENT_BYTES] += moved
        if moved == length:
            return True
        if moved == 0:
            return self._fail("pack", pack)
        return self._wait(b"", pack, offset + moved, length - moved)

    def send_parts(self, head: bytes, pack: OpenPack, offset: int, reply: Reply) -> bool:
        """Send ``head``, then what ``reply`` takes of the object at ``offset`` in ``pack``: one range or several."""
        if not reply.pieces:
            return self.send_file(head, pack, offset + reply.first, reply.length)
        steps = [(piece.text, offset + piece.first, piece.length) for piece in reply.pieces]
        steps[0] = (head + steps[0][0], *steps[0][1:])
        for place, (text, begin, length) in enumerate(steps):
            if not (self.send_file(text, pack, begin, length) if length else self.send(text)):
                if self.waiting:
                    self._more = steps[place + 1 :]
                    if place:
                        self.first_ns = self.first_ns or monotonic_ns()
                return False
        return True

    def hold(self, left: int) -> None:
        """Count a response as on its way whose next bytes are still to come, ``left`` of them in all."""
        self.waiting = self.held = True
        self.unsent_bytes = left
        self._counts[_SENDS] += 1

    def let_go(self) -> None:
        """They are here, to be sent now; or none come."""
        self._end()

    def stop(self) -> None:
        """Forget what is on its way; the caller closes the socket next."""
        if self._slices.waits:
            self._slices.cancel()
            self.waiting = self._pack is not None  # before its head a response has not begun
        elif self._resuming is not None:
            self._resuming.cancel()
            self._resuming = None
        elif self.waiting:
            self._loop.remove_writer(self._fileno)
        self._end()

    def _wait(self, head: bytes, pack: OpenPack | None, offset: int, length: int) -> bool:
        """Go on when the socket takes more. The pack stays open for as long."""
        self._head, self._offset, self._left = head, offset, length
        if not self.waiting:
            self.waiting = True
            self.first_ns = monotonic_ns()
            self._counts[_SENDS] += 1
            self._pack = pack
            self._slices.forget()
            if pack is not None:
                pack.sends += 1
            self._watch()
        self._counts[_BLOCKED] += 1
        return False

    def _writable(self) -> None:
        """The socket takes more. In few steps: amid large bodies nothing of this is in the processor's caches."""
        if self._head and not self._send_head():
            return
        pack, left = self._pack, self._left
        if left and pack is not None:
            offset = self._offset
            room = self._slices.room(pack, offset, left)
            if not room:
                self._bring_in(pack)
                return
            try:
                moved = self._move(pack.descriptor, offset, min(left, room))
            except OSError as error:
                self._interrupted(b"", pack, offset, left, error)
                return
            if moved == 0:
                # The pack is shorter than its index says. The length is promised already: only a reset tells it.
                self._fail("pack", pack)
                return
            counts = self._counts
            counts[self._calls_slot] += 1
            counts[self._bytes_slot] += moved
            counts[_SENT_BYTES] += moved
            self._offset = offset + moved
            self._left = left - moved
            if moved != left:
                counts[_BLOCKED] += 1
                return
        if self._more:
            (self._head, self._offset, self._left), *self._more = self._more
            self._slices.forget()
            return
        self._loop.remove_writer(self._fileno)
        self._end()
        self._sent()

    def _send_head(self) -> bool:
        """Send what is left of the head; False while some of it still is."""
        try:
            taken = self._send(self._head, socket.MSG_MORE if self._left else 0)
        except OSError as error:
            return self._interrupted(self._head, self._pack, self._offset, self._left, error)
        self.first_ns = self.first_ns or monotonic_ns()
        self._head = self._head[taken:]
        return not self._head

    def _held(self, head: bytes, pack: OpenPack | None, offset: int, length: int, error: OSError) -> bool:
        """Not even the first byte went out."""
        self._interrupted(head, pack, offset, length, error)
        self.first_ns = 0
        return False

    def _bring_in(self, pack: OpenPack) -> bool:
        self._loop.remove_writer(self._fileno)
        refusal = self._slices.read(pack, self._offset, self._left, self._brought_in, begun=True)
        return self._fail(CAUSES[refusal], pack) if refusal is not None else False

    def _brought_in(self, outcome: Outcome) -> None:
        self._watch()
        if outcome != "ready":
            self._fail(CAUSES[outcome], self._pack)

    def _fetched(self, done: Waiter, outcome: Outcome) -> None:
        self.waiting = False
        done(outcome)

    def _interrupted(self, head: bytes, pack: OpenPack | None, offset: int, length: int, error: OSError) -> bool:
        if error.errno in WAIT:
            return self._wait(head, pack, offset, length)
        if error.errno in SHORTAGE:
            self._wait(head, pack, offset, length)
            self._loop.remove_writer(self._fileno)
            self._rest()
            return False
        return self._fail("client" if error.errno in PEER_GONE else "device", pack)

    def _watch(self) -> None:
        try:
            self._loop.add_writer(self._fileno, self._writable)
        except OSError:  # epoll_ctl(2): no memory, or no more watches for this user
            self._rest()

    def _rest(self) -> None:
        if self._resuming is None:
            self._counts[_MEMORY_PAUSES] += 1
            self._resuming = self._loop.call_later(SHORTAGE_PAUSE_S, self._resume)

    def _resume(self) -> None:
        self._resuming = None
        self._watch()

    def release(self) -> None:
        """Let go of whom to tell, so that an ended connection is freed at once rather than by the collector."""
        self._sent = self._failed = _tell_nobody

    def _fail(self, cause: Cause, pack: OpenPack | None) -> bool:
        self.stop()
        self._failed(cause, pack)
        return False

    def _end(self) -> None:
        if self.waiting:
            self.waiting = self.held = False
            self._counts[_SENDS] -= 1
        if self._pack is not None:
            self._pack.sends -= 1
            self._pack = None
            self.unsent_bytes = self._left + sum(length for _, _, length in self._more)
        elif self._head:
            self.unsent_bytes = len(self._head)
        self._head = b""
        self._left = 0
        self._more = ()
