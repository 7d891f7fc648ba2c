"""What is counted of viewers' requests for an asset, at a site in an hour or in many: sums, and where they end."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import astuple

TOTAL_MAX = 2**53
"""Of an asset, site and hour: 20 Tbit/s all hour long, which a float still has to the byte; what is more is lost."""


class Counted(Struct, frozen=True, array_like=True, gc=False):
    """Sums over viewers' requests for an asset.

    ``requests`` and ``bytes`` are of what boxes that hold it sent, ``sessions`` the distinct ones of each box and hour.
    The others are requests at boxes that do not hold it, by what became of them, and at any of viewers who were turned
    away; each with what these came to (``wanted``).
    """

    requests: int = 0
    bytes: int = 0
    sessions: int = 0
    missed: int = 0
    missed_bytes: int = 0
    redirected: int = 0
    redirected_bytes: int = 0
    fetched: int = 0
    fetched_bytes: int = 0
    turned_away: int = 0
    turned_away_bytes: int = 0

    def plus(self, other: Counted) -> Counted:
        """Both together; no sum above ``TOTAL_MAX``."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Counted(*[min(mine + others, TOTAL_MAX) for mine, others in pairs])

    def minus(self, other: Counted) -> Counted:
        """What is here beside ``other``."""
        return Counted(*[mine - others for mine, others in zip(astuple(self), astuple(other), strict=True)])


NOTHING = Counted()
