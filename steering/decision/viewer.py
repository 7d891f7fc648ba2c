"""Who is to be served: where the client belongs, by which prefixes, and what its network is known for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from mypy_extensions import mypyc_attr

from oca.common.prefix import BITS, prefix_text
from steering.decision.candidate import Candidate
from steering.decision.feedback import Slowed
from steering.decision.load import takes
from steering.routes.claims import Claims

_NONE_SLOWED: Mapping[str, Slowed] = {}


@final
@mypyc_attr(acyclic=True)
class Viewer:
    """Who is to be served; never changed.

    Attributes:
        home: The site that it belongs to; empty: none.
        version: Of its address, which is ``number``.
        lengths: Of the prefixes that hold its address, longest first.
        reach: The claims to each of them.
        region: Its region, for rights; empty: unknown.
        network: Its network, so that those of one network are sent to the same box.
        slowed: Appliances on the way to which such viewers starve, by their players.
    """

    __slots__ = ("_told", "home", "lengths", "network", "number", "reach", "region", "slowed", "version")

    def __init__(
        self,
        home: str = "",
        *,
        version: int = 4,
        number: int = 0,
        lengths: Sequence[int] = (),
        reach: Sequence[Claims] = (),
        region: str = "",
        network: str = "",
        slowed: Mapping[str, Slowed] = _NONE_SLOWED,
    ) -> None:
        self.home, self.version, self.number, self.lengths, self.reach = home, version, number, lengths, reach
        self.region, self.network, self.slowed = region, network, slowed
        self._told = ""

    def prefix(self, index: int) -> str:
        """One of the prefixes that hold its address, in words."""
        if index:
            return self._prefix(index)
        if not self._told:  # each pathway of its own site names the first
            self._told = self._prefix(0)
        return self._told

    def _prefix(self, index: int) -> str:
        length = self.lengths[index]
        spare = BITS[self.version] - length
        return prefix_text(self.version, length, self.number >> spare << spare)

    def left_of(self, appliance: str) -> float:
        """The share of a box's viewers that feedback leaves it."""
        slowed = self.slowed.get(appliance)
        return slowed.weight if slowed is not None else 1.0

    def is_taken(self, candidate: Candidate) -> bool:
        """Whether a box has room for this network."""
        share = candidate.share
        if self.slowed:
            share *= self.left_of(candidate.appliance)
        return share >= 1.0 or takes(candidate.appliance, self.network, share)
