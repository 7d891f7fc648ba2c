"""What passes between players and this worker beside the media: what they tell (CMCD) sets each connection's pace and
is summed up as the quality that viewers have.

``Players`` is one worker's, ``Player`` one connection's. Neither is made where nothing of it is switched on.
"""

from __future__ import annotations

import socket
import struct
from bisect import bisect_right
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from oca.common.quality import Quality, prefix_of
from oca.delivery.cmcd import Told, data_of, told_encoded, told_plain
from oca.delivery.cmsd import TCP_INFO, Advice, field_line, path_of
from oca.delivery.lookup import Found
from oca.delivery.metrics import DELIVERY_SLOTS, QUALITY_MBITS
from oca.delivery.next_object import named, resolved
from oca.delivery.pacing import UNPACED, Pace
from oca.delivery.quality import QualityTable
from oca.delivery.settings import DeliveryTable
from oca.http1.request import Fields

SO_MAX_PACING_RATE = 47
"""socket(7), asm-generic/socket.h; bytes per second. Without the fq queueing discipline TCP keeps to it by itself."""
SOON_S = 0.5
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

    def __init__(self, settings: DeliveryTable, counts: memoryview[int], appliance: str) -> None:
        self.counts = counts
        self.appliance = appliance
        self.advice = Advice()
        """What the supervisor has every player told."""
        self.telling_s = settings.cmsd.refresh_s if settings.cmsd.enabled else 0.0
        """How old what a player is told may get; 0: nothing is told."""
        self.pace = Pace(settings.pacing) if settings.pacing.mode != "off" else None
        self._quality = QualityTable() if settings.cmcd.quality else None
        self.read_next: Callable[[bytes, int, int], None] | None = None
        """Reads part of the object under a path, from its first byte to its last, from the device before it is asked
        for; None where what players say of it is not acted on.
        """
        self.listens = self.pace is not None or self._quality is not None
        """Whether anything is made of what players tell."""

    @classmethod
    def wanted(cls, settings: DeliveryTable, counts: memoryview[int], appliance: str) -> Players | None:
        """None where no setting asks for any of it: a connection then costs nothing more."""
        is_on = settings.pacing.mode != "off" or settings.cmsd.enabled
        is_on = is_on or settings.cmcd.quality or settings.cmcd.next_object
        return cls(settings, counts, appliance) if is_on else None

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

    __slots__ = ("_client", "_connection", "_pace", "_players", "_prefix", "_told_at_s", "line", "sent_bytes")

    def __init__(self, players: Players, connection: socket.socket, client: str) -> None:
        self._players = players
        self._connection = connection
        self._client = client
        self._prefix = ""
        self._told_at_s = float("-inf")
        self.line = b""
        """The field line ``CMSD-Dynamic`` of its answers; empty where nothing is told."""
        self._pace = UNPACED
        self.sent_bytes = 0
        """Of bodies, in responses begun so far."""

    def asks(self, found: Found | None, fields: Fields, query: bytes, now_s: float, cmcd: bytes = b"") -> bytes:
        """Take what a request tells, in its ``query`` or its fields (``cmcd``), before it is answered with ``found``.

        Returns:
            ``line``, for the head of the answer.
        """
        players = self._players
        encoded = data_of(query) if query and not cmcd else b""
        told = self._told(encoded, cmcd) if (encoded or cmcd) and players.listens else None
        if told is not None and found is not None:
            players.hear(found.pack.asset, self._prefix or self._find_prefix(), told)
        if players.read_next is not None and found is not None and b"nor" in (cmcd or encoded):
            path, first, last = named(cmcd or unquote_to_bytes(encoded))
            if path and (path := resolved(found.path, path)):
                players.read_next(path, first, last)
        if players.pace is not None and not fields.fill:
            pace = players.pace.rate(told, current=self._pace, sent_bytes=self.sent_bytes)
            if pace != self._pace:
                self._set_pace(pace)
        if found is not None and fields.range is None:  # the session adds what is sent of a range
            self.sent_bytes += found.size
        if players.telling_s and now_s - self._told_at_s >= players.telling_s:
            self._refresh(now_s)
        return self.line

    def leave(self) -> None:
        """The connection has ended."""
        if self._pace:
            self._players.counts[_PACED] -= 1

    def _told(self, encoded: bytes, cmcd: bytes) -> Told | None:
        told = told_plain(cmcd) if cmcd else told_encoded(encoded)
        self._players.counts[_TOLD if told is not None else _MALFORMED] += 1
        return told

    def _refresh(self, now_s: float) -> None:
        info = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO.size)
        if len(info) < TCP_INFO.size:  # a kernel older than Linux 4.9
            return
        path = path_of(info, is_paced=bool(self._pace))
        # Until there is a throughput to tell, look again at each turn of the worker's clock.
        self._told_at_s = now_s if path.throughput else now_s - self._players.telling_s + SOON_S
        self.line = field_line(self._players.appliance, path, self._players.advice)

    def _find_prefix(self) -> str:
        self._prefix = prefix_of(self._client)
        return self._prefix

    def _set_pace(self, pace: int) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, pace or _NO_LIMIT)
        counts = self._players.counts
        counts[_CHANGES] += 1
        counts[_PACED] += bool(pace) - bool(self._pace)
        self._pace = pace
