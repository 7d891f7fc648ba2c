"""Takes connections from one listening socket, up to a bound, and rests when the machine is short of descriptors."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct

from oca.common.log import get_logger
from oca.common.metrics import DELIVERY_SLOTS
from oca.delivery.service import Service
from oca.delivery.session import Session

ACCEPTS_PER_TURN = 64
PAUSE_S = 0.2

_ACCEPTED = DELIVERY_SLOTS["delivery_connections_accepted"]
_REFUSED = DELIVERY_SLOTS["delivery_connections_refused"]
_PAUSES = DELIVERY_SLOTS["delivery_accept_pauses"]
_SHORTAGE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_RESET = struct.pack("ii", 1, 0)
_log = get_logger("acceptor")


class Acceptor:
    """Accepts until closed."""

    def __init__(self, listener: socket.socket, service: Service) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._service = service
        self._pause: asyncio.TimerHandle | None = None
        self._said = False
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

    def _on_readable(self) -> None:
        self._accept(ACCEPTS_PER_TURN)

    def _accept(self, most: int) -> None:
        service = self._service
        for _ in range(most):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _SHORTAGE:
                    self._rest(error)
                    return
                continue  # the client gave up before we came to it (accept(2))
            service.counts[_ACCEPTED] += 1
            if len(service.sessions) >= service.settings.connections_max:
                service.counts[_REFUSED] += 1
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                connection.close()
                continue
            Session(connection, service)

    def _rest(self, error: OSError) -> None:
        """The queue stays readable while nothing can be taken from it, so look away for a moment."""
        self._service.counts[_PAUSES] += 1
        if not self._said:
            self._said = True
            _log.warning("accepting pauses", error=error.strerror, remedy="raise LimitNOFILE or the machine's memory")
        self._service.loop.remove_reader(self._listener.fileno())
        self._pause = self._service.loop.call_later(PAUSE_S, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self._service.loop.add_reader(self._listener.fileno(), self._on_readable)
