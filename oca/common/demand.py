"""What viewers asked of a box over some time, as it goes from its workers to what is told steering. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import astuple

WANTED_MAX = 20_000
"""Objects that are not served and yet counted, until steering has taken them; the others go by uncounted."""
SUM_MAX = 2**60
"""Of bytes of one object: viewers name any length that they like, and a message holds less than eight times this."""


class Wanted(Struct, frozen=True, array_like=True, gc=False):
    """Requests for an object that the box does not hold: answered 404, redirected, fetched from the origin; and for one
    that it may hold, of viewers whom it turned away.

    ``fetched_bytes`` were sent of what was fetched; of those before it ``ranges`` named the length of a part, these
    lengths together being ``range_bytes``, and so of those turned away.
    """

    missed: int = 0
    redirected: int = 0
    fetched: int = 0
    fetched_bytes: int = 0
    ranges: int = 0
    range_bytes: int = 0
    turned_away: int = 0
    away_ranges: int = 0
    away_range_bytes: int = 0

    @property
    def requests(self) -> int:
        """All of them."""
        return self.missed + self.redirected + self.fetched + self.turned_away

    def plus(self, other: Wanted) -> Wanted:
        """Both together."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Wanted(*[min(mine + others, SUM_MAX) for mine, others in pairs])


NOTHING = Wanted()


class Taken(Struct):
    """Sums by asset, of (requests, bytes) and of sessions not met before in their hour; and by path what was wanted.

    ``dropped``: requests for what is not held that bounds kept out of ``wanted``.
    """

    assets: dict[str, tuple[int, int]] = {}
    sessions: dict[str, int] = {}
    wanted: dict[str, Wanted] = {}
    dropped: int = 0

    def add(
        self,
        assets: Iterable[tuple[str, int, int]],
        sessions: Mapping[str, int],
        wanted: Mapping[str, Wanted],
        dropped: int = 0,
    ) -> None:
        """Add what came since."""
        self.dropped += dropped
        for asset, requests, sent_bytes in assets:
            before = self.assets.get(asset, (0, 0))
            self.assets[asset] = (before[0] + requests, before[1] + sent_bytes)
        for asset, met in sessions.items():
            self.sessions[asset] = self.sessions.get(asset, 0) + met
        for path, counted in wanted.items():
            if path not in self.wanted and len(self.wanted) >= WANTED_MAX:
                self.dropped += counted.requests
            else:
                self.wanted[path] = self.wanted.get(path, NOTHING).plus(counted)

    def add_all(self, other: Taken) -> None:
        """Add all of ``other``."""
        assets = ((asset, *sums) for asset, sums in other.assets.items())
        self.add(assets, other.sessions, other.wanted, other.dropped)
