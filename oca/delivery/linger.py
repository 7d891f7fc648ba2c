"""A connection after its last answer: what the client still sends is read and dropped, for a while.

Closing on unread bytes would reset the connection and could take the answer with it (RFC 9112 §9.6).
"""

from __future__ import annotations

import socket

from oca.delivery.acknowledged import Taking
from oca.delivery.metrics import labelled
from oca.delivery.resets import reset_at_close
from oca.delivery.service import Service

LINGER_S = 2.0
LINGER_BYTES_MAX = 256 * 1024
_READ_BYTES = 16384
_CUTS = labelled("delivery_sends_cut")


class Linger:
    """Takes the connection over from its session, which has sent its end, until the client says so too."""

    __slots__ = ("_connection", "_dropped_bytes", "_service", "_taking", "_until_s", "client")

    def __init__(self, connection: socket.socket, client: str, taking: Taking, service: Service) -> None:
        self._connection = connection
        self.client = client
        self._taking = taking
        self._service = service
        self._until_s = service.now_s + LINGER_S
        self._dropped_bytes = 0
        service.join(self)
        service.loop.add_reader(connection.fileno(), self._on_readable)

    def check(self, now_s: float) -> None:
        """End it when its time is over, unless the client is still taking its last answer fast enough."""
        if now_s <= self._until_s:
            return
        state = self._taking.look(now_s, waiting=False, anew=True)
        if state in ("slow", "stalled"):
            self._service.counts[_CUTS[state]] += 1
            reset_at_close(self._connection)
        if state != "fine":
            self.reset()

    def drain(self, *, gently: bool = False) -> None:
        """It is about to end as it is."""

    def reset(self) -> None:
        """End it at once."""
        self._service.loop.remove_reader(self._connection.fileno())
        self._connection.close()
        self._service.leave(self)

    def can_go(self, now_s: float) -> bool:
        """It is about to end as it is, unless the client is still taking its last answer."""
        return False

    def _on_readable(self) -> None:
        try:
            dropped = len(self._connection.recv(_READ_BYTES))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            dropped = 0
        self._dropped_bytes += dropped
        if not dropped or self._dropped_bytes > LINGER_BYTES_MAX:
            self.reset()
