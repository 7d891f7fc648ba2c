"""Keeps what is amiss from coming and going: it counts once it has lasted, and ends once it has been gone for a while.

Pure: instants come in, on a clock that never steps. Whatever returns within a day is let go of ever later, as BGP damps
routes that flap (RFC 2439), so that a value that swings over both thresholds is told of once, not all day.
"""

from __future__ import annotations

from typing import Literal

from oca.common.damping import DAY_S, damped_s

Side = Literal["bad", "between", "good"]
"""Of a value: beyond the threshold at which it counts, beyond that at which it ends, or between the two."""


class Damper:
    """One thing that may be amiss."""

    __slots__ = (
        "_bad_since",
        "_ended_at",
        "_good_since",
        "_hold_s",
        "_release_s",
        "_release_s_max",
        "_returns",
        "is_on",
    )

    def __init__(self, *, hold_s: float, release_s: float, release_s_max: float) -> None:
        """Begin with all well.

        Args:
            hold_s: How long it must be bad without a break before it counts; 0: at once.
            release_s: How long it must be good without a break before it ends.
            release_s_max: That time grows fourfold with each return within a day, up to this.
        """
        self._hold_s = hold_s
        self._release_s = release_s
        self._release_s_max = max(release_s_max, release_s)
        self._bad_since: float | None = None
        self._good_since: float | None = None
        self._ended_at: float | None = None
        self._returns = 0
        self.is_on = False
        """Whether it counts."""

    @property
    def release_s(self) -> float:
        """How long it must be good this time."""
        return damped_s(self._release_s, self._returns, most_s=self._release_s_max)

    def good_s(self, now: float) -> float:
        """For how long it has been good; 0 while it is not."""
        return now - self._good_since if self._good_since is not None else 0.0

    def observe(self, now: float, side: Side) -> bool:
        """Take note of how it is; returns whether it counts."""
        if side == "bad":
            self._bad_since = now if self._bad_since is None else self._bad_since
        else:
            self._bad_since = None
        if side == "good":
            self._good_since = now if self._good_since is None else self._good_since
        else:
            self._good_since = None
        if not self.is_on and self._bad_since is not None and now - self._bad_since >= self._hold_s:
            recent = self._ended_at is not None and now - self._ended_at < DAY_S
            self._returns = self._returns + 1 if recent else 0
            self.is_on = True
        elif self.is_on and self._good_since is not None and now - self._good_since >= self.release_s:
            self.is_on, self._ended_at = False, now
        return self.is_on

    def is_forgettable(self, now: float) -> bool:
        """Whether nothing of it matters any more."""
        idle = not self.is_on and self._bad_since is None
        return idle and (self._ended_at is None or now - self._ended_at >= DAY_S)
