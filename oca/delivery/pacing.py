"""How fast a connection may send, from what its player told and what the operator set. Pure.

Paced delivery at the rate a player asks for cuts the peak of a stream by more than half at the same quality
(Sammy, SIGCOMM 2023): the access line's queue stays short for everybody behind it.
"""

from __future__ import annotations

from oca.delivery.cmcd import Told
from oca.delivery.pacing_settings import PacingTable

UNPACED = 0
_BYTES_PER_S_OF_KBITS = 125
_BYTES_PER_S_OF_MBITS = 125_000


class Pace:
    """The rule, with the settings in bytes per second; ``UNPACED`` stands for no limit."""

    __slots__ = ("_always", "_burst", "_burst_bytes", "_ceiling", "_change", "_default", "_factor", "_floor")

    def __init__(self, settings: PacingTable) -> None:
        self._always = settings.mode == "always"
        self._burst = round(settings.burst_mbits_per_s * _BYTES_PER_S_OF_MBITS)
        self._burst_bytes = settings.burst_bytes
        self._ceiling = round(settings.ceiling_mbits_per_s * _BYTES_PER_S_OF_MBITS)
        self._change = settings.change_min_ratio
        self._default = round(settings.default_mbits_per_s * _BYTES_PER_S_OF_MBITS)
        self._factor = settings.factor * _BYTES_PER_S_OF_KBITS
        self._floor = round(settings.floor_mbits_per_s * _BYTES_PER_S_OF_MBITS)

    def rate(self, told: Told | None, *, current: int, sent_bytes: int) -> int:
        """The pace of the next response, in bytes per second.

        Args:
            told: What the request told; None: nothing.
            current: The connection's pace so far.
            sent_bytes: Sent on the connection before.

        Returns:
            ``current`` itself where the change is not worth a system call, or nothing says what else it should be.
        """
        if sent_bytes < self._burst_bytes or (told is not None and (told.urgent or told.starved)):
            wanted = self._burst
        elif told is not None and told.wanted:
            wanted = min(max(int(told.wanted * self._factor), self._floor), self._ceiling)
        elif self._always and current == self._burst:
            wanted = self._default
        else:
            return current
        if wanted and current and abs(wanted - current) <= current * self._change:
            return current
        return wanted
