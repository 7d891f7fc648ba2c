"""The ranking: which sources may serve this title to this client, in what order, and why the others lost.

One ranking answers playback, both manifests, both steering answers and redirects. Pure: the world comes in as
arguments. Order: class (embedded, peering, regional), the client's own prefixes first, longer prefix, better path,
distance; among the boxes of equally near sites whole ladders before partial ones, then rendezvous weighted by capacity,
so that one title lands on few boxes. A box that is nearly full, or degraded, is set back behind all that are not for a
share of networks, so that its load goes over to the next ones and none is overfull.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import NamedTuple, Protocol

from steering.catalogue import Title
from steering.claims import Claims
from steering.edition import Edition
from steering.feedback import Slowed
from steering.holders import Holding
from steering.liveness import Liveness
from steering.load import place_of, takes
from steering.order import Order, RankedSite
from steering.settings_check import ORIGIN_PATHWAY, ORIGIN_RETRY_PATHWAY

REJECTED_MAX = 200
_by_standing = itemgetter(0, 1)
_NONE_SLOWED: Mapping[str, Slowed] = {}


class Candidate(NamedTuple):
    """An appliance as the decision sees it.

    Attributes:
        capacity: What it can send, against others; any unit.
        share: The share of client networks that it takes, by its load (load.share_taken) and its weight.
        keys: Ids of the keys by which it checks tokens.
    """

    appliance: str
    url: str
    liveness: Liveness
    capacity: float = 1.0
    share: float = 1.0
    keys: tuple[str, ...] = ()


class Reasons(Protocol):
    """Why a source stands where it does."""

    def text(self) -> str:
        """In words."""


class Pathway(NamedTuple):
    """One source a player may use.

    Attributes:
        reasons: Why it stands where it does.
        holds: The assets that it serves; None for the origin, which holds everything.
        token_path: Goes between its URL and an object's path; empty where no token is needed.
    """

    pathway: str
    url: str
    source_class: str
    site: str
    distance_km: float | None
    reasons: Reasons
    holds: frozenset[str] | None
    token_path: str = ""

    @property
    def why(self) -> str:
        """``reasons`` in words."""
        return self.reasons.text()

    @property
    def base(self) -> str:
        """What an object's path is appended to."""
        return self.url + self.token_path

    def has(self, asset: str) -> bool:
        """Whether it serves ``asset`` itself."""
        return self.holds is None or asset in self.holds


class Rejected(NamedTuple):
    """A source that was considered and lost."""

    pathway: str
    why: str


class Ranking(NamedTuple):
    """Pathways best first, the origin last. ``barred`` says why nobody may serve it to this client, if so."""

    pathways: tuple[Pathway, ...]
    rejected: tuple[Rejected, ...]
    barred: str = ""


def bar(title: Title, region: str, now_ns: int) -> str:
    """Why nobody may serve ``title`` to a client in ``region`` now, or an empty string."""
    if title.released_at_ns > now_ns:
        released = datetime.fromtimestamp(title.released_at_ns / 1e9, tz=UTC)
        return f"not released before {released:%Y-%m-%dT%H:%M:%SZ}"
    if title.regions and region not in title.regions:
        return f"no rights in {region or 'a client region that is not known'}; granted: {', '.join(title.regions)}"
    return ""


def no_token(keys: tuple[str, ...]) -> str:
    """For where nothing is signed."""
    del keys
    return ""


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


Look = Callable[[str, bool], Iterable[tuple[Candidate, Holding | None]]]
"""A site's appliances as they stand now, each with what it holds of the title; where the second argument is false,
those that hold nothing of it may be left out.
"""


class _Fit(NamedTuple):
    """A candidate that may serve; sorts by how it stands within its tier."""

    lacks: int
    place: float
    candidate: Candidate
    ranked: RankedSite
    holds: frozenset[str]


def rank(
    edition: Edition,
    order: Order,
    look: Look,
    viewer: Viewer,
    *,
    now_ns: int,
    origin_url: str,
    appliances_max: int,
    token_of: Callable[[tuple[str, ...]], str] = no_token,
    explain: bool = False,
) -> Ranking:
    """Rank every source of a title for a viewer.

    Args:
        edition: The title that is asked for.
        order: From ``order_sites`` for the viewer's prefixes.
        look: A site's appliances.
        viewer: Who asks.
        now_ns: Wall clock.
        origin_url: Base URL of the last resort; empty: there is none.
        appliances_max: Appliances offered at most.
        token_of: The token for an appliance with these keys, as it stands in the path.
        explain: Look at all of ``order``, to say why each lost, not only until enough are found; otherwise boxes of
            open sites that hold nothing of the title are passed over in silence.
    """
    title = edition.title
    if barred := bar(title, viewer.region, now_ns):
        return Ranking((), (), barred)
    chosen: list[_Fit] = []
    set_back: list[_Fit] = []
    rejected: list[Rejected] = []
    for tier in order:
        if len(rejected) >= REJECTED_MAX or (len(chosen) >= appliances_max and not explain):
            break
        for fit in _fits(edition, tier, look, rejected, explain=explain):
            candidate = fit.candidate
            share = candidate.share if not viewer.slowed else candidate.share * _left(candidate.appliance, viewer)
            room = share >= 1.0 or takes(candidate.appliance, viewer.network, share)
            (chosen if room else set_back).append(fit)
    ways = chosen + set_back
    wanted = len(edition.whole)
    rejected += [
        Rejected(fit.candidate.appliance, f"{appliances_max} better ones are enough") for fit in ways[appliances_max:]
    ]
    pathways = [
        Pathway(
            fit.candidate.appliance,
            fit.candidate.url,
            fit.ranked.site.class_,
            fit.ranked.site.id,
            fit.ranked.distance_km,
            _Reasons(number, fit, wanted, viewer),
            fit.holds,
            token_of(fit.candidate.keys),
        )
        for number, fit in enumerate(ways[:appliances_max])
    ]
    pathways += _origins(origin_url, alone=not pathways)
    return Ranking(tuple(pathways), tuple(rejected))


def _left(appliance: str, viewer: Viewer) -> float:
    """The share of a box's viewers that feedback leaves it."""
    slowed = viewer.slowed.get(appliance)
    return slowed.weight if slowed is not None else 1.0


def _fits(
    edition: Edition, tier: Sequence[RankedSite], look: Look, rejected: list[Rejected], *, explain: bool
) -> list[_Fit]:
    """The boxes of equally near sites that may serve, best first; the others go to ``rejected``."""
    title = edition.title
    fits = []
    for ranked in tier:
        barred = ranked.why_not or _barred_there(title, ranked)
        for candidate, holding in look(ranked.site.id, explain or ranked.reach >= 0):
            holds = edition.held(holding)
            liveness = candidate.liveness
            if barred or not liveness.takes_viewers:
                rejected.append(Rejected(candidate.appliance, barred or liveness.why))
            elif holds:
                place = place_of(title.title, candidate.appliance, candidate.capacity)
                fits.append(_Fit(-len(holds), place, candidate, ranked, holds))
            else:
                other = edition.held_otherwise(holding)
                why = "holds only an earlier revision of this title" if other else "does not hold this title"
                rejected.append(Rejected(candidate.appliance, why))
    if len(fits) > 1:
        fits.sort(key=_by_standing)
    return fits


def _barred_there(title: Title, ranked: RankedSite) -> str:
    """Why nobody may serve ``title`` from a site, or an empty string."""
    if title.regions and ranked.site.region not in title.regions:
        return f"its site {ranked.site.id} is in {ranked.site.region or 'no known region'}: no rights there"
    return ""


class _Reasons(NamedTuple):
    """Why an appliance stands where it does; put into words only where they are told."""

    before: int
    fit: _Fit
    wanted: int
    viewer: Viewer

    def text(self) -> str:
        """In words."""
        candidate, holds = self.fit.candidate, len(self.fit.holds)
        share = "holds it whole" if holds == self.wanted else f"holds {holds} of its {self.wanted} assets"
        place = f"number {self.before + 1}" if self.before else "nearest"
        full = "nearly full: " if candidate.share < candidate.liveness.weight else ""
        slowed = self.viewer.slowed.get(candidate.appliance)
        told = f"; {slowed.why}" if slowed is not None else ""
        left = candidate.share * _left(candidate.appliance, self.viewer)
        room = "" if left >= 1 else f"; {full}takes {left:.0%} of its viewers"
        return f"{place}: {_place(self.fit.ranked, self.viewer)}; {share}; {candidate.liveness.why}{told}{room}"


class Said(NamedTuple):
    """Reasons that are the same for every viewer."""

    words: str

    def text(self) -> str:
        """In words."""
        return self.words


_ORIGIN = Said("last resort: the origin holds everything")
_ORIGIN_AGAIN = Said("the origin once more: players give up without a second pathway")


def _place(ranked: RankedSite, client: Viewer) -> str:
    site, away = ranked.site, ranked.distance_km
    claim = client.reach[ranked.reach].of_site(site.id) if ranked.reach >= 0 else None
    if claim is not None:
        reach = f"client in its prefix {client.prefixes[ranked.reach]} {claim.path}"
    else:
        reach = "serves any client"
    place = f"{away:.0f} km from {client.home}" if away is not None else "client in no prefix"
    return f"{site.class_} site {site.id}: {reach}, {place}"


def _origins(url: str, *, alone: bool) -> list[Pathway]:
    """The origin; twice if it is alone, because players need a second pathway to retry on."""
    if not url:
        return []
    origin = Pathway(ORIGIN_PATHWAY, url, "fallback", "", None, _ORIGIN, None)
    if not alone:
        return [origin]
    return [origin, Pathway(ORIGIN_RETRY_PATHWAY, url, "fallback", "", None, _ORIGIN_AGAIN, None)]
