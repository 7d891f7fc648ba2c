"""What passes between players and this worker beside the media: what they tell (CMCD) sets each connection's pace and
is summed up as the quality that viewers have.

``Players`` is one worker's, ``Player`` one connection's. Neither is made where nothing of it is switched on.
"""

from __future__ import annotations

import socket
import struct
from bisect import bisect_right

from oca.common.quality import Quality, prefix_of
from oca.delivery.cmcd import Told, data_of, told_encoded, told_plain
from oca.delivery.lookup import Found
from oca.delivery.metrics import DELIVERY_SLOTS, QUALITY_MBITS
from oca.delivery.pacing import UNPACED, Pace
from oca.delivery.quality import QualityTable
from oca.delivery.settings import DeliveryTable
from oca.http1.request import Request

SO_MAX_PACING_RATE = 47
"""socket(7), asm-generic/socket.h; bytes per second. Without the fq queueing discipline TCP keeps to it by itself."""
_NO_LIMIT = struct.pack("I", 0xFFFFFFFF)

_TOLD = DELIVERY_SLOTS["delivery_cmcd:read"]
_MALFORMED = DELIVERY_SLOTS["delivery_cmcd:malformed"]
_PACED = DELIVERY_SLOTS["delivery_paced_connections"]
_CHANGES = DELIVERY_SLOTS["delivery_pace_changes"]
_REPORTS = DELIVERY_SLOTS["delivery_quality_reports"]
_STARVED = DELIVERY_SLOTS["delivery_quality_starved"]
_BANDS = DELIVERY_SLOTS[f"delivery_quality_throughput:{QUALITY_MBITS[0]:g}"]
_BAND_LIMITS = [limit * 1000 for limit in QUALITY_MBITS]


class Players:
    """What the connections of one worker share."""

    def __init__(self, settings: DeliveryTable, counts: memoryview[int]) -> None:
        self.counts = counts
        self.pace = Pace(settings.pacing) if settings.pacing.mode != "off" else None
        self._quality = QualityTable() if settings.cmcd.quality else None

    @classmethod
    def wanted(cls, settings: DeliveryTable, counts: memoryview[int]) -> Players | None:
        """None where no setting asks for any of it: a connection then costs nothing more."""
        return cls(settings, counts) if settings.pacing.mode != "off" or settings.cmcd.quality else None

    def hear(self, asset: str, prefix: str, told: Told) -> None:
        """Sum up what viewers of ``asset`` in ``prefix`` have, where that is switched on."""
        if self._quality is None or not (told.bitrate or told.throughput or told.buffer_ms or told.starved):
            return
        self.counts[_REPORTS] += 1
        if told.starved:
            self.counts[_STARVED] += 1
        if told.throughput:
            self.counts[_BANDS + bisect_right(_BAND_LIMITS, told.throughput)] += 1
        self._quality.add(asset, prefix, told)

    def take_quality(self) -> list[Quality]:
        """What was summed up since the last call."""
        return self._quality.take() if self._quality is not None else []


class Player:
    """One connection's player, told of before each response."""

    __slots__ = ("_client", "_connection", "_pace", "_players", "_prefix", "sent_bytes")

    def __init__(self, players: Players, connection: socket.socket, client: str) -> None:
        self._players = players
        self._connection = connection
        self._client = client
        self._prefix = ""
        self._pace = UNPACED
        self.sent_bytes = 0
        """Of bodies, in responses begun so far."""

    def asks(self, request: Request, found: Found | None) -> None:
        """Take what ``request`` tells, before it is answered with ``found``."""
        players = self._players
        told = self._told(request)
        if told is not None and found is not None:
            players.hear(found.pack.asset, self._prefix or self._find_prefix(), told)
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

    def _find_prefix(self) -> str:
        self._prefix = prefix_of(self._client)
        return self._prefix

    def _set_pace(self, pace: int) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, pace or _NO_LIMIT)
        counts = self._players.counts
        counts[_CHANGES] += 1
        counts[_PACED] += bool(pace) - bool(self._pace)
        self._pace = pace
