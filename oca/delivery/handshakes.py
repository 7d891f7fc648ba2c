"""TLS handshakes of one worker: bounded, one step a turn of the loop, so that transfers go on.

A step may take a private key's signature, a millisecond with RSA: a flood of clients that all say hello at once would
hold up every response if their hellos were answered as they come. Here they stand in line. A client that has said
nothing yet costs a small object; one that is under way costs OpenSSL's buffers, and only so many are.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Literal, cast

from oca.common import clock
from oca.common.errors import OcaError
from oca.common.log import get_logger
from oca.delivery import kernel_tls
from oca.delivery.metrics import DELIVERY_SLOTS, labelled
from oca.delivery.resets import reset_at_close
from oca.delivery.room import can_go
from oca.delivery.service import Service
from oca.delivery.session import Session
from oca.delivery.tls_connection import KernelTlsTransport, TlsConnection, UserspaceTlsTransport
from oca.delivery.tls_contexts import Contexts
from oca.delivery.tls_material import Material

CROWDED_S = 1.0
"""While others wait for a place, a client under way may be silent for so long: some round trips on any link."""
_HANDSHAKING = DELIVERY_SLOTS["delivery_tls_handshaking"]
_FULL = DELIVERY_SLOTS["delivery_tls_handshakes:full"]
_RESUMED = DELIVERY_SLOTS["delivery_tls_handshakes:resumed"]
_FAILED = labelled("delivery_tls_handshakes_failed")
_KTLS_OPEN = DELIVERY_SLOTS["delivery_tls_connections:ktls"]
_USERSPACE_OPEN = DELIVERY_SLOTS["delivery_tls_connections:userspace"]
_REASONS = {
    "HTTP_REQUEST": "http",
    "HTTPS_PROXY_REQUEST": "http",
    "NO_SHARED_CIPHER": "cipher",
    "UNSUPPORTED_PROTOCOL": "version",
    "VERSION_TOO_LOW": "version",
    "TLSV1_ALERT_PROTOCOL_VERSION": "version",
    "INAPPROPRIATE_FALLBACK": "version",
}
_UNTOLD = ("http", "time-out", "crowded")
_Watch = Literal["nothing", "reading", "writing"]
_NOTHING: _Watch = "nothing"
_READING: _Watch = "reading"
_WRITING: _Watch = "writing"
_log = get_logger("tls")


class Handshakes:
    """Takes connections of TLS listeners, and makes a ``Session`` of each whose handshake succeeds."""

    def __init__(self, service: Service, material: Material) -> None:
        """Read the certificates.

        Raises:
            ConfigError: One cannot be used.
        """
        self.service = service
        self._settings = service.settings.tls
        self._material = material
        self._contexts = Contexts(self._settings, material)
        self._begun: dict[_Handshake, None] = {}
        """Those under way, oldest first."""
        self._ready: deque[_Handshake] = deque()
        """Those under way whose client has answered: they go first, for they have cost something."""
        self._fresh: deque[_Handshake] = deque()
        """Those whose hello is here, unread."""
        self._turning = False
        self._crowded: asyncio.TimerHandle | None = None

    @property
    def kernel(self) -> bool:
        """Whether the kernel is to encrypt."""
        return self._material.kernel

    def begin(self, connection: socket.socket, client: str, service: Service) -> None:
        """Take a connection that was accepted (the acceptor's way to begin)."""
        _Handshake(connection, client, self)

    def reload(self, material: Material) -> None:
        """Use other certificates or ticket keys for connections from now on; what cannot be used changes nothing."""
        try:
            if material.pairs:
                self._contexts = Contexts(self._settings, material)
            elif material.ticket_keys:
                self._contexts.set_ticket_keys(material.ticket_keys)
        except OcaError as error:
            _log.error("certificates stay as they were", error=error.message, remedy=error.remedy)
            return
        self._material = material

    def wrap(self, connection: socket.socket) -> TlsConnection:
        """The server's end of a handshake that has not begun."""
        secure = self._contexts.default.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return cast(TlsConnection, secure)

    def queue(self, handshake: _Handshake) -> None:
        """Its client has said something: let it have a step when its turn comes."""
        (self._ready if handshake in self._begun else self._fresh).append(handshake)
        self._turn()

    def forget(self, handshake: _Handshake) -> None:
        """It has ended; another may begin."""
        if handshake in self._begun:
            del self._begun[handshake]
            self._turn()

    def _turn(self) -> None:
        if not self._turning and (self._ready or self._fresh):
            self._turning = True
            self.service.queue(self._step)

    def _step(self) -> None:
        """One step of one handshake; whatever else is ready in the loop comes before the next."""
        self._turning = False
        if self._ready:
            self._ready.popleft().step()
        elif not self._fresh:
            return
        elif self._has_place():
            handshake = self._fresh.popleft()
            if not handshake.ended:
                self._begun[handshake] = None
                handshake.step()
        else:
            if self._crowded is None:
                self._crowded = self.service.loop.call_later(CROWDED_S / 4, self._look_again)
            return
        self._turn()

    def _look_again(self) -> None:
        self._crowded = None
        self._turn()

    def _has_place(self) -> bool:
        if len(self._begun) < self._settings.handshakes_max:
            return True
        oldest = next(iter(self._begun))
        if clock.monotonic_s() - oldest.begun_at_s < CROWDED_S:
            return False
        oldest.fail("crowded")
        return True


class _Handshake:
    """One connection from its acceptance to the end of its handshake."""

    __slots__ = (
        "_connection",
        "_drain",
        "_handshakes",
        "_joined_at_s",
        "_secure",
        "_watch",
        "begun_at_s",
        "client",
        "ended",
    )

    def __init__(self, connection: socket.socket, client: str, handshakes: Handshakes) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._secure: TlsConnection | None = None
        self.client = client
        self._handshakes = handshakes
        self._joined_at_s = handshakes.service.now_s
        self.begun_at_s = 0.0
        self.ended = False
        self._drain: Callable[[Session], None] | None = None
        self._watch: _Watch = _NOTHING
        self._wait_for(_READING)
        handshakes.service.join(self)
        handshakes.service.counts[_HANDSHAKING] += 1

    def step(self) -> None:
        """Go on as far as the client's bytes allow."""
        if not self.ended:
            try:
                self._advance()
            except OSError as error:
                self.fail(_reason(error))

    def _advance(self) -> None:
        if self._secure is None:
            self.begun_at_s = clock.monotonic_s()
            self._connection = self._secure = self._handshakes.wrap(self._connection)
        try:
            self._secure.do_handshake()
        except ssl.SSLWantReadError:
            self._wait_for(_READING)
        except ssl.SSLWantWriteError:
            self._wait_for(_WRITING)
        else:
            self._done(self._secure)

    def fail(self, reason: str) -> None:
        """Count it and close; by a reset where the client has not been sent an alert."""
        self._handshakes.service.counts[_FAILED[reason]] += 1
        if reason in _UNTOLD:
            reset_at_close(self._connection)
        self._end()
        self._connection.close()

    def check(self, now_s: float) -> None:
        """End it if it takes too long."""
        if now_s - self._joined_at_s > self._handshakes.service.settings.tls.handshake_timeout_s:
            self.fail("time-out")

    def drain(self, *, gently: bool = False) -> None:
        """End it if the client has not begun, unless ``gently``; else its session drains in turn."""
        self._drain = partial(Session.drain, gently=gently)
        if not gently and self._secure is None and self._watch is _READING:
            self.reset()

    def reset(self) -> None:
        """End it at once."""
        self._end()
        self._connection.close()

    def can_go(self, now_s: float) -> bool:
        """Whether it has been here for long."""
        return can_go(now_s, self._joined_at_s, asked=False)

    def _wait_for(self, watch: _Watch) -> None:
        """Look only for the one thing that is waited for: none while a turn is."""
        loop, fileno = self._handshakes.service.loop, self._connection.fileno()
        if self._watch is _READING:
            loop.remove_reader(fileno)
        elif self._watch is _WRITING:
            loop.remove_writer(fileno)
        self._watch = watch
        if watch is _READING:
            loop.add_reader(fileno, self._on_ready)
        elif watch is _WRITING:
            loop.add_writer(fileno, self._on_ready)

    def _on_ready(self) -> None:
        self._wait_for(_NOTHING)
        self._handshakes.queue(self)

    def _done(self, connection: TlsConnection) -> None:
        service = self._handshakes.service
        kernel = self._handshakes.kernel and kernel_tls.sends(connection)
        service.counts[_RESUMED if connection.session_reused else _FULL] += 1
        slot = _KTLS_OPEN if kernel else _USERSPACE_OPEN
        service.counts[slot] += 1
        connection.on_close = partial(_count_down, service.counts, slot)
        self._end()
        try:
            session = Session(connection, self.client, service, KernelTlsTransport if kernel else UserspaceTlsTransport)
        except OSError:  # epoll_ctl(2): no memory
            connection.close()
            return
        if self._drain is not None:
            self._drain(session)

    def _end(self) -> None:
        self._wait_for(_NOTHING)
        self.ended = True
        self._handshakes.service.counts[_HANDSHAKING] -= 1
        self._handshakes.service.leave(self)
        self._handshakes.forget(self)


def _reason(error: OSError) -> str:
    """Why a handshake failed, of ``HANDSHAKE_FAILURES``, by OpenSSL's name for it."""
    name = error.reason if isinstance(error, ssl.SSLError) else ""
    if not name or isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "gone"
    if "ALERT" in name and ("CERTIFICATE" in name or "UNKNOWN_CA" in name):
        return "certificate"
    return _REASONS.get(name, "malformed")


def _count_down(counts: memoryview[int], slot: int) -> None:
    counts[slot] -= 1
