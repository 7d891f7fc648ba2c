"""One viewer's connection as a thing that lives and ends; what is said on it is the session's.

However it ends, whoever waits at the other side learns of it: by the end of the last answer, or by a reset.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod

from oca.delivery.account import Account
from oca.delivery.acknowledged import Taking
from oca.delivery.first_slice import SPOILT
from oca.delivery.linger import Linger
from oca.delivery.metrics import labelled
from oca.delivery.reading import Reading
from oca.delivery.resets import reset_at_close
from oca.delivery.service import Service
from oca.delivery.transport import Cause, Transport
from oca.store.reader import OpenPack

_CUTS = labelled("delivery_sends_cut")


class Connection(ABC):
    """Base of a session: the socket, what goes out on it, and every way in which it ends."""

    __slots__ = (
        "_account",
        "_active_at_s",
        "_closed",
        "_closing",
        "_connection",
        "_eof",
        "_reading",
        "_service",
        "_taking",
        "_transport",
        "client",
    )

    def __init__(self, connection: socket.socket, client: str, service: Service, by: type[Transport]) -> None:
        connection.setblocking(False)
        self._connection = connection
        self.client = client
        """The peer's IP address, as the socket tells it."""
        self._service = service
        self._active_at_s = service.now_s
        self._closed = self._closing = self._eof = False
        self._transport = by(
            connection,
            service.loop,
            service.counts,
            service.reads,
            client=client,
            sent=self._on_sent,
            failed=self._on_failed,
        )
        self._account = Account(service.demand, service.timings, service.log, client)
        self._taking = Taking(connection, service.pace, service.now_s)
        self._reading = Reading(connection.fileno(), service.loop, service.counts, self._on_readable)
        service.join(self)

    @abstractmethod
    def check(self, now_s: float) -> None:
        """End the connection if it has overstayed a time-out."""

    @abstractmethod
    def can_go(self, now_s: float) -> bool:
        """Whether it has kept its place for nothing (``delivery.room``)."""

    @abstractmethod
    def _on_readable(self) -> None:
        """The client sent something."""

    @abstractmethod
    def _on_sent(self) -> None:
        """A response that went on in the background is in the kernel's hands."""

    def drain(self, *, gently: bool = False) -> None:
        """Close now if nothing is being sent, else after it; ``gently``: after the next answer that can say so."""
        waiting = self._transport.waiting
        self._closing = self._closing or not (gently and waiting)
        if not (gently or waiting):
            self._finish()

    def reset(self) -> None:
        """End the connection at once; a response on its way is cut."""
        if self._transport.waiting:
            self._cut("drain")
        else:
            self._close()

    def _owes(self, now_s: float, *, anew: bool = False) -> bool:
        """Whether the client has yet to take what it was sent; one that is too slow is cut off."""
        transport = self._transport
        waiting = transport.waiting and not (transport.held or transport.fetching)
        state = self._taking.look(now_s, waiting=waiting, anew=anew)
        if state in ("slow", "stalled"):
            self._cut(state)
        return state != "done"

    def _on_failed(self, cause: Cause, pack: OpenPack | None) -> None:
        self._service.counts[_CUTS[cause]] += 1
        if cause in SPOILT and pack is not None:
            self._service.lookup.spoil(pack.asset, SPOILT[cause])
        self._account.cut(cause, self._transport.unsent_bytes)
        self._abort()

    def _gone(self) -> None:
        if self._transport.waiting:
            self._cut("client")
        else:
            self._close()

    def _finish(self) -> None:
        """Say that no more comes, then wait for the client to say so too."""
        if self._closed:
            return
        try:
            if not self._eof:
                self._connection.shutdown(socket.SHUT_WR)
        except OSError:  # the client is gone already
            self._eof = True
        if self._eof:
            self._close()
        else:
            self._leave()
            Linger(self._connection, self.client, self._taking, self._service)

    def _cut(self, cause: str) -> None:
        """End a response before its last byte: by a reset, so that the client cannot take it for whole."""
        self._service.counts[_CUTS[cause]] += 1
        self._transport.stop()
        self._account.cut(cause, self._transport.unsent_bytes)
        self._abort()

    def _abort(self) -> None:
        if not self._closed:
            reset_at_close(self._connection)
            self._close()

    def _close(self) -> None:
        if not self._closed:
            self._leave()
            self._connection.close()

    def _leave(self) -> None:
        """Let go of the connection, which somebody else closes."""
        self._closed = True
        self._reading.stop()
        self._transport.stop()
        self._transport.release()
        self._service.leave(self)
