"""How long what comes and goes has to stay well: ever longer with each return within a day (RFC 2439). Pure."""

from __future__ import annotations

DAY_S = 86400.0
"""A return later than that is none."""
FACTOR = 4.0
RETURNS_MAX = 20
"""Further ones change nothing: the time is at its most long before."""


def damped_s(first_s: float, returns: int, *, most_s: float) -> float:
    """``first_s``, fourfold with each of ``returns``, up to ``most_s``."""
    return min(first_s * FACTOR ** min(returns, RETURNS_MAX), most_s)
