"""Which boxes of equally near sites may serve a title at all, and who of them comes first. Pure.

How such tiers follow one another, and what load makes of it, is the ranking's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from operator import attrgetter
from typing import final

from mypy_extensions import mypyc_attr

from oca.common.digest import rendezvous_scores
from steering.decision.candidate import Candidate, Rejected
from steering.decision.edition import Assets, Edition
from steering.decision.load import places_of, room_places
from steering.decision.order import RankedSite
from steering.decision.rights import barred_there
from steering.decision.viewer import Viewer
from steering.fleet.holders import Holding

_by_standing = attrgetter("lacks", "place")
_LACKS = "does not hold this title"

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

    def __init__(self, boxes: list[Candidate], names: list[bytes] | None = None) -> None:
        """``names``: of all boxes, encoded, where they are known."""
        self.boxes = boxes
        self.able = [box for box in boxes if box.takes_viewers]
        self.out: list[Rejected] = []
        if names is None or len(self.able) < len(boxes):
            names = [box.appliance.encode() for box in self.able]
            self.out = [Rejected(box.appliance, box.liveness.why) for box in boxes if not box.takes_viewers]
        self.names = names
        self.is_even = len({box.capacity for box in self.able}) <= 1
        self.has_room = not [box for box in self.able if box.share < 1.0]
        self._lacking: list[Rejected] | None = None

    @property
    def lacking(self) -> list[Rejected]:
        """Why each lost where none of them holds anything of a title."""
        if self._lacking is None:
            self._lacking = [
                Rejected(box.appliance, _LACKS if box.takes_viewers else box.liveness.why) for box in self.boxes
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


@final
@mypyc_attr(acyclic=True)
class Fit:
    """A candidate that may serve; how it stands within its tier: fewest ``lacks`` first, then by ``place``."""

    __slots__ = ("candidate", "holds", "lacks", "place", "ranked")

    def __init__(self, lacks: int, place: float, candidate: Candidate, ranked: RankedSite, holds: Assets) -> None:
        self.lacks, self.place, self.candidate, self.ranked, self.holds = lacks, place, candidate, ranked, holds


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
        able: list[tuple[Candidate, Assets]] = []
        for candidate, holding in pairs(rack, held):
            holds = edition.held(holding)
            if barred or not candidate.takes_viewers:
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
