"""Judges by what a client acknowledged whether it takes its response fast enough. Pure.

Bytes in the socket's buffer are with this machine still: a client that takes one byte a second from a buffer of
megabytes looks busy or stalled by turns to whoever watches the sending alone.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Verdict = Literal["fine", "slow", "stalled"]


class Pace(Struct, frozen=True, kw_only=True):
    """What is asked of a client: something within ``stalled_s``, and ``bytes_per_s`` over each ``window_s``."""

    stalled_s: float
    bytes_per_s: float
    window_s: float

    @property
    def sample_s(self) -> float:
        """How often to look."""
        return min(self.stalled_s, self.window_s) / 4


class Progress:
    """One client's progress, from the first sample on."""

    __slots__ = ("_acknowledged", "_at_s", "_begun", "_begun_at_s", "_offered")

    def __init__(self, acknowledged: int, queued: int, now_s: float) -> None:
        self._acknowledged = self._begun = acknowledged
        self._at_s = self._begun_at_s = now_s
        self._offered = queued

    def judge(self, acknowledged: int, queued: int, now_s: float, pace: Pace) -> Verdict:
        """The verdict on a sample.

        Args:
            acknowledged: Bytes the client's kernel has acknowledged, since the connection began.
            queued: Bytes that lie in our socket, sent or not, and are not acknowledged.
            now_s: Monotonic clock.
            pace: What is asked.
        """
        if acknowledged != self._acknowledged:
            self._acknowledged, self._at_s = acknowledged, now_s
        elif now_s - self._at_s > pace.stalled_s:
            return "stalled"
        span_s = now_s - self._begun_at_s
        if span_s < pace.window_s:
            return "fine"
        # Who took all that lay ready for it when the window began was held up by us, whatever the rate.
        slow = acknowledged - self._begun < min(self._offered, pace.bytes_per_s * span_s)
        self._begun, self._begun_at_s, self._offered = acknowledged, now_s, queued
        return "slow" if slow else "fine"
