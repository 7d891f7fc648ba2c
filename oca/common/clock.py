"""The one owner of the clock. Decisions take ``now`` as an argument and never look here."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now_ns() -> int:
    """Wall clock, integer nanoseconds since 1970, as sent on the wire."""
    return time.time_ns()


def now_s() -> float:
    """Wall clock, seconds since 1970."""
    return time.time()


def monotonic_s() -> float:
    """Seconds on a clock that never steps; for intervals and time-outs."""
    return time.monotonic()


monotonic_ns = time.monotonic_ns
"""The same clock in nanoseconds; not wrapped, for it is read with every request."""


def utc_now() -> datetime:
    """Wall clock as an aware UTC datetime."""
    return datetime.now(tz=UTC)


def utc_of(at_ns: int) -> datetime:
    """An instant on the wire as an aware UTC datetime."""
    return datetime.fromtimestamp(at_ns / 1e9, tz=UTC)
