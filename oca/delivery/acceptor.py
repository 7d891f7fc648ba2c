"""Takes connections from one listening socket, up to a bound.

Those beyond the bound, or beyond the descriptors there are, are reset at once: players wait on silence, and go
elsewhere on a reset.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable

from oca.common.log import get_logger
from oca.delivery.listeners import BACKLOG
from oca.delivery.metrics import DELIVERY_SLOTS, labelled
from oca.delivery.resets import reset_at_close
from oca.delivery.service import Service
from oca.delivery.session import Session

ACCEPTS_PER_TURN = 4
"""Connections taken in one go: those that are served already wait some 0.2 ms for it; of 16, four times that."""
PAUSE_S = 0.2
ORPHAN_S = 10.0
"""How much longer than ``stalled_timeout_s`` the kernel keeps what a client does not take, once we have closed."""

_ACCEPTED = DELIVERY_SLOTS["delivery_connections_accepted"]
_REFUSED = labelled("delivery_connections_refused")
_PAUSES = DELIVERY_SLOTS["delivery_accept_pauses"]
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)
_SHORTAGE = (*_NO_DESCRIPTOR, errno.ENOBUFS, errno.ENOMEM)
_log = get_logger("acceptor")
Begin = Callable[[socket.socket, str, Service], object]
"""Takes a connection and its client's address."""


class Acceptor:
    """Accepts until closed."""

    def __init__(self, listener: socket.socket, service: Service, begin: Begin = Session) -> None:
        listener.listen(BACKLOG)  # only now: nobody shall wait for a worker that is yet to start
        listener.setblocking(False)
        # Inherited by every connection (tcp(7)): a closed one's last bytes must not lie in the kernel for many minutes.
        keep_s = service.settings.stalled_timeout_s + ORPHAN_S
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(keep_s * 1000))
        self._listener = listener
        self._service = service
        self._begin = begin
        self._pause: asyncio.TimerHandle | None = None
        self._spare = _open_spare()
        """Given up for a moment to take a connection that there is no descriptor for; -1: itself not to be had."""
        self._said: set[str] = set()
        service.loop.add_reader(listener.fileno(), self._on_readable)

    def close(self) -> None:
        """Take what is queued already, then stop listening."""
        if self._pause is not None:
            self._pause.cancel()
        else:
            self._service.loop.remove_reader(self._listener.fileno())
        self._accept(self._service.settings.connections_max)
        if self._pause is not None:
            self._pause.cancel()
        self._listener.close()
        if self._spare >= 0:
            os.close(self._spare)

    def _on_readable(self) -> None:
        self._accept(ACCEPTS_PER_TURN)

    def _accept(self, most: int) -> None:
        service = self._service
        for _ in range(most):
            try:
                connection, peer = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in _SHORTAGE or self._shed(error):
                    continue  # the client gave up before we came to it (accept(2)), or had to
                return
            service.counts[_ACCEPTED] += 1
            if service.clients.full(peer[0]):
                self._refuse(connection, "client")
            elif len(service.sessions) >= service.settings.connections_max and not service.make_room():
                self._refuse(connection, "connections")
            else:
                self._take(connection, peer[0])

    def _take(self, connection: socket.socket, client: str) -> None:
        try:
            self._begin(connection, client, self._service)
        except OSError as error:  # epoll_ctl(2): no memory, or no more watches for this user
            self._refuse(connection, "memory")
            self._say("a connection cannot be watched and is reset", error)

    def _refuse(self, connection: socket.socket, limit: str) -> None:
        self._service.counts[_REFUSED[limit]] += 1
        reset_at_close(connection)
        connection.close()

    def _shed(self, error: OSError) -> bool:
        """Refuse one connection by means of the spare descriptor; False: none waits, or accepting has to pause."""
        if error.errno in _NO_DESCRIPTOR and self._spare >= 0:
            os.close(self._spare)
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:  # accept(2) tells of the shortage before it looks whether anyone waits
                return False
            except OSError as again:
                error = again
            else:
                self._service.counts[_ACCEPTED] += 1
                self._refuse(connection, "descriptors")
                self._say("no descriptor is left; connections are reset", error)
                return True
            finally:
                self._spare = _open_spare()
        self._rest(error)
        return False

    def _rest(self, error: OSError) -> None:
        """The queue stays readable while nothing can be taken from it, so look away for a moment."""
        self._service.counts[_PAUSES] += 1
        self._say("accepting pauses", error)
        self._service.loop.remove_reader(self._listener.fileno())
        self._pause = self._service.loop.call_later(PAUSE_S, self._resume)

    def _resume(self) -> None:
        self._pause = None
        if self._spare < 0:
            self._spare = _open_spare()
        self._service.loop.add_reader(self._listener.fileno(), self._on_readable)

    def _say(self, event: str, error: OSError) -> None:
        if event not in self._said:
            self._said.add(event)
            _log.warning(event, error=error.strerror, remedy="raise LimitNOFILE or the machine's memory")


def _open_spare() -> int:
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1
