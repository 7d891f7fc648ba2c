"""What a viewer's kernel has taken of its responses, as ours knows it; ``progress`` judges whether that is enough."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from typing import Literal

from oca.delivery.progress import Pace, Progress, Verdict

_NONE = bytes(4)
_ACKNOWLEDGED = struct.Struct("120x Q")
"""``tcpi_bytes_acked`` in ``struct tcp_info`` (linux/tcp.h, since Linux 4.1)."""


def queued_bytes(connection: socket.socket) -> int:
    """Bytes handed to the kernel that the client has not acknowledged, sent or not (``SIOCOUTQ``, tcp(7))."""
    return int.from_bytes(fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, _NONE), "little")


def acknowledged_bytes(connection: socket.socket) -> int:
    """Bytes that the client has acknowledged since the connection began."""
    told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.size)
    return int(_ACKNOWLEDGED.unpack(told)[0])


class Taking:
    """One client's taking of what it is sent, looked at every few seconds (``Pace.sample_s``)."""

    __slots__ = ("_at_s", "_connection", "_pace", "_progress")

    def __init__(self, connection: socket.socket, pace: Pace, now_s: float) -> None:
        self._connection = connection
        self._pace = pace
        self._progress: Progress | None = None
        self._at_s = now_s

    def look(self, now_s: float, *, waiting: bool, anew: bool = False) -> Verdict | Literal["done"]:
        """How the client does; ``done``: it took all it was sent, and nothing is ``waiting`` to be.

        ``anew``: look at once, unless the client is known to have something to take still.
        """
        if now_s - self._at_s < self._pace.sample_s and (self._progress is not None or not anew):
            return "fine" if waiting or self._progress is not None else "done"
        self._at_s = now_s
        queued = queued_bytes(self._connection)
        if not queued and not waiting:
            self._progress = None
            return "done"
        acknowledged = acknowledged_bytes(self._connection)
        if self._progress is None:
            self._progress = Progress(acknowledged, queued, now_s)
            return "fine"
        return self._progress.judge(acknowledged, queued, now_s, self._pace)
