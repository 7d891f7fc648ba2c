"""What passes between players and this worker beside the media: what they tell (CMCD) sets each connection's pace.

``Players`` is one worker's, ``Player`` one connection's. Neither is made where nothing of it is switched on.
"""

from __future__ import annotations

import socket
import struct

from oca.delivery.cmcd import Told, data_of, told_encoded, told_plain
from oca.delivery.lookup import Found
from oca.delivery.metrics import DELIVERY_SLOTS
from oca.delivery.pacing import UNPACED, Pace
from oca.delivery.settings import DeliveryTable
from oca.http1.request import Request

SO_MAX_PACING_RATE = 47
"""socket(7), asm-generic/socket.h; bytes per second. Without the fq queueing discipline TCP keeps to it by itself."""
_NO_LIMIT = struct.pack("I", 0xFFFFFFFF)

_TOLD = DELIVERY_SLOTS["delivery_cmcd:read"]
_MALFORMED = DELIVERY_SLOTS["delivery_cmcd:malformed"]
_PACED = DELIVERY_SLOTS["delivery_paced_connections"]
_CHANGES = DELIVERY_SLOTS["delivery_pace_changes"]


class Players:
    """What the connections of one worker share."""

    def __init__(self, settings: DeliveryTable, counts: memoryview[int]) -> None:
        self.counts = counts
        self.pace = Pace(settings.pacing) if settings.pacing.mode != "off" else None

    @classmethod
    def wanted(cls, settings: DeliveryTable, counts: memoryview[int]) -> Players | None:
        """None where no setting asks for any of it: a connection then costs nothing more."""
        return cls(settings, counts) if settings.pacing.mode != "off" else None


class Player:
    """One connection's player, told of before each response."""

    __slots__ = ("_connection", "_pace", "_players", "sent_bytes")

    def __init__(self, players: Players, connection: socket.socket) -> None:
        self._players = players
        self._connection = connection
        self._pace = UNPACED
        self.sent_bytes = 0
        """Of bodies, in responses begun so far."""

    def asks(self, request: Request, found: Found | None) -> None:
        """Take what ``request`` tells, before it is answered with ``found``."""
        told = self._told(request)
        players = self._players
        if players.pace is not None and not request.fields.fill:
            pace = players.pace.rate(told, current=self._pace, sent_bytes=self.sent_bytes)
            if pace != self._pace:
                self._set_pace(pace)
        if found is not None and request.fields.range is None:  # the session adds what is sent of a range
            self.sent_bytes += found.size

    def leave(self) -> None:
        """The connection has ended."""
        if self._pace:
            self._players.counts[_PACED] -= 1

    def _told(self, request: Request) -> Told | None:
        if request.cmcd:
            told = told_plain(request.cmcd)
        else:
            data = data_of(request.query) if request.query else b""
            if not data:
                return None
            told = told_encoded(data)
        self._players.counts[_TOLD if told is not None else _MALFORMED] += 1
        return told

    def _set_pace(self, pace: int) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, pace or _NO_LIMIT)
        counts = self._players.counts
        counts[_CHANGES] += 1
        counts[_PACED] += bool(pace) - bool(self._pace)
        self._pace = pace
