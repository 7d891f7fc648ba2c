"""Which boxes of equally near sites may serve a title at all, and who of them comes first. Pure.

How such tiers follow one another, and what load makes of it, is the ranking's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from operator import attrgetter

from msgspec import Struct

from oca.common.digest import rendezvous_scores
from oca.common.messages import Load
from oca.common.prefix import Prefix
from steering.decision.edition import Edition
from steering.decision.feedback import Slowed
from steering.decision.load import (
    CAPACITY_UNKNOWN,
    nearly_full,
    places_of,
    room_places,
    share_kept,
    share_taken,
    takes,
    use_ratio,
)
from steering.decision.order import RankedSite
from steering.decision.rights import barred_there
from steering.fleet.holders import Holding
from steering.fleet.liveness import Heard, Liveness
from steering.routes.claims import Claims
from steering.settings import FleetTable

_by_standing = attrgetter("lacks", "place")
_LACKS = "does not hold this title"
_NONE_SLOWED: Mapping[str, Slowed] = {}


class Candidate(Struct, frozen=True, gc=False):
    """An appliance as the decision sees it.

    Attributes:
        capacity: What it can send, against others; any unit.
        share: The share of client networks that it takes, by its load (load.share_taken) and its weight.
        keys: Ids of the keys by which it checks tokens.
        kept: The share of networks whose playing viewers it keeps (load.share_kept), by its weight.
        expected_bytes_per_s: What viewers will take who are on their way there, as ``share`` and ``kept`` have it.
        full: Which measure it is nearly full by; empty where it is not.
        heard: Of one about which nothing but the age of its report can be told: it is told by the clock.
    """

    appliance: str
    url: str
    liveness: Liveness
    capacity: float = 1.0
    share: float = 1.0
    keys: tuple[str, ...] = ()
    kept: float = 1.0
    expected_bytes_per_s: float = 0.0
    heard: Heard | None = None
    full: str = ""

    def why(self, now_s: float) -> str:
        """Its verdict in words; ``now_s`` on the clock of ``heard``."""
        return self.heard.why(now_s) if self.heard is not None else self.liveness.why


def candidate_of(
    appliance: str,
    liveness: Liveness,
    load: Load,
    fleet: FleetTable,
    *,
    expected_bytes_per_s: float,
    url: str = "",
    keys: tuple[str, ...] = (),
    heard: Heard | None = None,
) -> Candidate:
    """A box that has told its load: what it takes and keeps of its viewers by that, and by its weight."""
    used = use_ratio(load, by_cpu=fleet.shed_by_cpu, expected_bytes_per_s=expected_bytes_per_s)
    share = share_taken(used, shed_from_ratio=fleet.shed_from_ratio, full_ratio=fleet.full_ratio)
    kept = share_kept(used, full_ratio=fleet.full_ratio)
    full = ""
    if share < 1.0:
        full = nearly_full(load, by_cpu=fleet.shed_by_cpu, expected_bytes_per_s=expected_bytes_per_s)
    capacity, weight = load.link_bytes_per_s or CAPACITY_UNKNOWN, liveness.weight
    if weight != 1.0:
        share, kept = share * weight, kept * weight
    return Candidate(appliance, url, liveness, capacity, share, keys, kept, expected_bytes_per_s, heard, full)


class Rejected(Struct, frozen=True, gc=False):
    """A source that was considered and lost."""

    pathway: str
    why: str


class Viewer(Struct, frozen=True, gc=False):
    """Who is to be served.

    Attributes:
        home: The site that it belongs to; empty: none.
        prefixes: Those that hold its address, longest first.
        reach: The claims to each of them.
        region: Its region, for rights; empty: unknown.
        network: Its network, so that those of one network are sent to the same box.
        slowed: Appliances on the way to which such viewers starve, by their players.
        told: Those of ``prefixes`` that have been put into words.
    """

    home: str = ""
    prefixes: Sequence[Prefix] = ()
    reach: Sequence[Claims] = ()
    region: str = ""
    network: str = ""
    slowed: Mapping[str, Slowed] = _NONE_SLOWED
    told: dict[int, str] = {}

    def prefix(self, index: int) -> str:
        """One of ``prefixes`` in words."""
        text = self.told.get(index)
        if text is None:
            text = self.told[index] = str(self.prefixes[index])
        return text

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


Held = Holding | Sequence[Holding | None] | None
"""What the boxes of a site hold of one title: all the same, each its own, or none anything."""


class Rack:
    """The boxes of a site as they stand, with what is the same for every decision about them.

    Attributes:
        able: Those that take viewers, and ``names`` theirs, encoded.
        out: Why each of the others lost.
        is_even: Whether all that are able can send as much.
        has_room: Whether they take whoever comes.
    """

    __slots__ = ("_lacking", "able", "boxes", "has_room", "is_even", "names", "out")

    def __init__(self, boxes: Sequence[Candidate], names: Sequence[bytes] | None = None) -> None:
        """``names``: of all boxes, encoded, where they are known."""
        self.boxes = boxes
        self.able = [box for box in boxes if box.liveness.takes_viewers]
        self.out: list[Rejected] = []
        if names is None or len(self.able) < len(boxes):
            names = [box.appliance.encode() for box in self.able]
            self.out = [Rejected(box.appliance, box.liveness.why) for box in boxes if not box.liveness.takes_viewers]
        self.names = names
        self.is_even = len({box.capacity for box in self.able}) <= 1
        self.has_room = not [box for box in self.able if box.share < 1.0]
        self._lacking: list[Rejected] | None = None

    @property
    def lacking(self) -> list[Rejected]:
        """Why each lost where none of them holds anything of a title."""
        if self._lacking is None:
            self._lacking = [
                Rejected(box.appliance, _LACKS if box.liveness.takes_viewers else box.liveness.why)
                for box in self.boxes
            ]
        return self._lacking

    def in_order(self, title: str) -> list[Candidate]:
        """Those that are able, by rendezvous for a title that all of them hold alike."""
        able = self.able
        if len(able) == 1:
            return able
        if not self.is_even:
            places = places_of(title, able)
            return [able[at] for at in sorted(range(len(able)), key=places.__getitem__)]
        scores = rendezvous_scores(title, self.names)
        return [able[at] for at in sorted(range(len(able)), key=scores.__getitem__, reverse=True)]

    def spare(self, viewer: Viewer) -> Candidate | None:
        """The one that a network gets which is lost elsewhere, where all hold a title alike; None: none has room."""
        able = self.able
        if self.is_even and self.has_room and not viewer.slowed:
            scores = rendezvous_scores(f"room\0{viewer.network}", self.names)
            return able[scores.index(max(scores))] if able else None
        taking = [box for box in able if viewer.is_taken(box)]
        places = room_places(viewer.network, taking)
        return taking[places.index(min(places))] if taking else None


Look = Callable[[str], tuple[Rack, Held]]
"""A site's appliances as they stand now, and what they hold of the title."""


def pairs(rack: Rack, held: Held) -> Iterable[tuple[Candidate, Holding | None]]:
    """Each box with what it holds."""
    if held is None or isinstance(held, Holding):
        return zip(rack.boxes, repeat(held))
    return zip(rack.boxes, held, strict=True)


class Fit(Struct, frozen=True, gc=False):
    """A candidate that may serve; how it stands within its tier: fewest ``lacks`` first, then by ``place``."""

    lacks: int
    place: float
    candidate: Candidate
    ranked: RankedSite
    holds: frozenset[str]


def fits_in(
    edition: Edition, tier: Sequence[RankedSite], look: Look, rejected: list[Rejected], *, explain: bool
) -> list[Fit]:
    """The boxes of equally near sites that may serve, best first; the others go to ``rejected``."""
    fits: list[Fit] = []
    for ranked in tier:
        rack, held = look(ranked.site.id)
        if held is None and not explain and ranked.reach < 0:
            continue
        barred = ranked.why_not or (barred_there(edition, ranked.site) if edition.regions else "")
        if held is None and not barred:
            rejected += rack.lacking
            continue
        holds = edition.held(held) if isinstance(held, Holding) else None
        if holds and not barred and len(tier) == 1:
            rejected += rack.out
            lacks = -len(holds)
            return [Fit(lacks, 0.0, box, ranked, holds) for box in rack.in_order(edition.id)]
        able: list[tuple[Candidate, frozenset[str]]] = []
        for candidate, holding in pairs(rack, held):
            holds = edition.held(holding)
            if barred or not candidate.liveness.takes_viewers:
                rejected.append(Rejected(candidate.appliance, barred or candidate.liveness.why))
            elif holds:
                able.append((candidate, holds))
            else:
                other = edition.held_otherwise(holding)
                why = "holds only an earlier revision of this title" if other else _LACKS
                rejected.append(Rejected(candidate.appliance, why))
        places = zip(able, places_of(edition.id, [candidate for candidate, _ in able]), strict=True)
        fits += [Fit(-len(holds), place, candidate, ranked, holds) for (candidate, holds), place in places]
    if len(fits) > 1:
        fits.sort(key=_by_standing)
    return fits


def spare_in(edition: Edition, tier: Sequence[RankedSite], look: Look, viewer: Viewer) -> Fit | None:
    """The box of equally near sites that this network gets where it is lost elsewhere; None: none has room for it."""
    ranked = tier[0]
    rack, held = look(ranked.site.id)
    if len(tier) == 1 and isinstance(held, Holding):
        holds = edition.held(held)
        if holds and not ranked.why_not and not (edition.regions and barred_there(edition, ranked.site)):
            box = rack.spare(viewer)
            return Fit(-len(holds), 0.0, box, ranked, holds) if box is not None else None
    able = [fit for fit in fits_in(edition, tier, look, [], explain=False) if viewer.is_taken(fit.candidate)]
    places = room_places(viewer.network, [fit.candidate for fit in able])
    standing = [(fit.lacks, place) for fit, place in zip(able, places, strict=True)]
    return able[standing.index(min(standing))] if able else None
