"""Which boxes of equally near sites may serve a title at all, and who of them comes first. Pure.

How such tiers follow one another, and what load makes of it, is the ranking's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from oca.common.messages import Load
from steering.claims import Claims
from steering.edition import Edition
from steering.feedback import Slowed
from steering.holders import Holding
from steering.liveness import Liveness
from steering.load import CAPACITY_UNKNOWN, place_of, share_kept, share_taken, use_ratio
from steering.order import RankedSite
from steering.rights import barred_there
from steering.settings import FleetTable

_by_standing = itemgetter(0, 1)
_NONE_SLOWED: Mapping[str, Slowed] = {}


class Candidate(NamedTuple):
    """An appliance as the decision sees it.

    Attributes:
        capacity: What it can send, against others; any unit.
        share: The share of client networks that it takes, by its load (load.share_taken) and its weight.
        keys: Ids of the keys by which it checks tokens.
        kept: The share of networks whose playing viewers it keeps (load.share_kept), by its weight.
        expected_bytes_per_s: What viewers will take who are on their way there, as ``share`` and ``kept`` have it.
    """

    appliance: str
    url: str
    liveness: Liveness
    capacity: float = 1.0
    share: float = 1.0
    keys: tuple[str, ...] = ()
    kept: float = 1.0
    expected_bytes_per_s: float = 0.0


def candidate_of(
    appliance: str,
    liveness: Liveness,
    load: Load,
    fleet: FleetTable,
    *,
    expected_bytes_per_s: float,
    url: str = "",
    keys: tuple[str, ...] = (),
) -> Candidate:
    """A box that has told its load: what it takes and keeps of its viewers by that, and by its weight."""
    used = use_ratio(load, by_cpu=fleet.shed_by_cpu, expected_bytes_per_s=expected_bytes_per_s)
    share = share_taken(used, shed_from_ratio=fleet.shed_from_ratio, full_ratio=fleet.full_ratio)
    kept = share_kept(used, full_ratio=fleet.full_ratio)
    capacity, weight = load.link_bytes_per_s or CAPACITY_UNKNOWN, liveness.weight
    return Candidate(appliance, url, liveness, capacity, share * weight, keys, kept * weight, expected_bytes_per_s)


class Rejected(NamedTuple):
    """A source that was considered and lost."""

    pathway: str
    why: str


class Viewer(NamedTuple):
    """Who is to be served.

    Attributes:
        home: The site that it belongs to; empty: none.
        prefixes: Those that hold its address, longest first, as text.
        reach: The claims to each of them.
        region: Its region, for rights; empty: unknown.
        network: Its network, so that those of one network are sent to the same box.
        slowed: Appliances on the way to which such viewers starve, by their players.
    """

    home: str = ""
    prefixes: Sequence[str] = ()
    reach: Sequence[Claims] = ()
    region: str = ""
    network: str = ""
    slowed: Mapping[str, Slowed] = _NONE_SLOWED

    def left_of(self, appliance: str) -> float:
        """The share of a box's viewers that feedback leaves it."""
        slowed = self.slowed.get(appliance)
        return slowed.weight if slowed is not None else 1.0


Look = Callable[[str, bool], Iterable[tuple[Candidate, Holding | None]]]
"""A site's appliances as they stand now, each with what it holds of the title; where the second argument is false,
those that hold nothing of it may be left out.
"""


class Fit(NamedTuple):
    """A candidate that may serve; sorts by how it stands within its tier."""

    lacks: int
    place: float
    candidate: Candidate
    ranked: RankedSite
    holds: frozenset[str]


def fits_in(
    edition: Edition, tier: Sequence[RankedSite], look: Look, rejected: list[Rejected], *, explain: bool
) -> list[Fit]:
    """The boxes of equally near sites that may serve, best first; the others go to ``rejected``."""
    title = edition.title
    fits = []
    for ranked in tier:
        barred = ranked.why_not or barred_there(title, ranked.site)
        for candidate, holding in look(ranked.site.id, explain or ranked.reach >= 0):
            holds = edition.held(holding)
            liveness = candidate.liveness
            if barred or not liveness.takes_viewers:
                rejected.append(Rejected(candidate.appliance, barred or liveness.why))
            elif holds:
                place = place_of(title.title, candidate.appliance, candidate.capacity)
                fits.append(Fit(-len(holds), place, candidate, ranked, holds))
            else:
                other = edition.held_otherwise(holding)
                why = "holds only an earlier revision of this title" if other else "does not hold this title"
                rejected.append(Rejected(candidate.appliance, why))
    if len(fits) > 1:
        fits.sort(key=_by_standing)
    return fits
