"""Up to which step of the ladder an asset may go by now: peers, other clusters, origin. Pure.

In a cluster a few masters bring an asset from afar and the others wait for them, so that it travels there once. Nobody
waits for ever: a master may be down, full, or not filling tonight.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from fill.tables import LadderTable
from oca.common.messages import FillSource


class Reach(Struct, frozen=True):
    """The sources that may be asked now, best first, and in how long more may be; None: all may."""

    sources: tuple[FillSource, ...]
    more_in_s: float | None

    @property
    def why(self) -> str:
        """What an asset that may ask nobody waits for."""
        return f"waits for a peer to bring it, {self.more_in_s or 0:.0f} s more at most"


def reach(sources: Sequence[FillSource], *, master: bool, waited_s: float, waits: LadderTable) -> Reach:
    """Whom to ask, ``waited_s`` after the asset's turn first came.

    Args:
        sources: Everyone that has it, best first.
        master: Whether this appliance brings it for its cluster.
        waited_s: Time since the asset's turn first came.
        waits: How long each step is waited for.
    """
    tier_at_s = 0.0 if master else waits.peer_wait_s
    opens_at_s = {"peer": 0.0, "tier": tier_at_s, "origin": tier_at_s + waits.tier_wait_s}
    allowed = tuple(source for source in sources if opens_at_s[source.kind] <= waited_s)
    later = [opens_at_s[source.kind] - waited_s for source in sources if opens_at_s[source.kind] > waited_s]
    return Reach(allowed, min(later, default=None))
