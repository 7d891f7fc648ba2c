"""The ranking: which sources may serve this title to this client, in what order, and why the others lost.

One ranking answers playback, both manifests, both steering answers and redirects. Pure: the world comes in as
arguments. Order: class (embedded, peering, regional), the client's own prefixes first, longer prefix, better path,
distance; among the boxes of equally near sites whole ladders before partial ones, then rendezvous weighted by capacity,
so that one title lands on few boxes. A box that is nearly full, or degraded, is set back behind all that are not for a
share of networks, so that its load goes over to the next ones and none is overfull.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import NamedTuple

from steering.catalogue import Title
from steering.claims import Claims
from steering.holders import Holding
from steering.liveness import Liveness
from steering.load import place_of, takes
from steering.order import Order, RankedSite
from steering.settings_check import ORIGIN_PATHWAY, ORIGIN_RETRY_PATHWAY

REJECTED_MAX = 200
_by_standing = itemgetter(0, 1)
_NOTHING: frozenset[str] = frozenset()


class Candidate(NamedTuple):
    """An appliance as the decision sees it.

    Attributes:
        capacity: What it can send, against others; any unit.
        share: The share of client networks that it takes, by its load (load.share_taken) and its weight.
    """

    appliance: str
    url: str
    liveness: Liveness
    capacity: float = 1.0
    share: float = 1.0


class Pathway(NamedTuple):
    """One source a player may use. ``holds`` is None for the origin, which holds everything.

    ``token_path`` goes between its URL and an object's path; empty where no token is needed.
    """

    pathway: str
    url: str
    source_class: str
    site: str
    distance_km: float | None
    why: str
    holds: frozenset[str] | None
    token_path: str = ""

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


def _place(ranked: RankedSite, client: Viewer) -> str:
    site, away = ranked.site, ranked.distance_km
    claim = client.reach[ranked.reach].of_site(site.id) if ranked.reach >= 0 else None
    if claim is not None:
        reach = f"client in its prefix {client.prefixes[ranked.reach]} {claim.path}"
    else:
        reach = "serves any client"
    place = f"{away:.0f} km from {client.home}" if away is not None else "client in no prefix"
    return f"{site.class_} site {site.id}: {reach}, {place}"


def bar(title: Title, region: str, now_ns: int) -> str:
    """Why nobody may serve ``title`` to a client in ``region`` now, or an empty string."""
    if title.released_at_ns > now_ns:
        released = datetime.fromtimestamp(title.released_at_ns / 1e9, tz=UTC)
        return f"not released before {released:%Y-%m-%dT%H:%M:%SZ}"
    if title.regions and region not in title.regions:
        return f"no rights in {region or 'a client region that is not known'}; granted: {', '.join(title.regions)}"
    return ""


def no_token(appliance: str) -> str:
    """For where nothing is signed."""
    del appliance
    return ""


class Viewer(NamedTuple):
    """Who is to be served.

    Attributes:
        home: The site that it belongs to; empty: none.
        prefixes: Those that hold its address, longest first, as text.
        reach: The claims to each of them.
        region: Its region, for rights; empty: unknown.
        network: Its network, so that those of one network are sent to the same box.
    """

    home: str = ""
    prefixes: Sequence[str] = ()
    reach: Sequence[Claims] = ()
    region: str = ""
    network: str = ""


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
    title: Title,
    order: Order,
    look: Look,
    viewer: Viewer,
    *,
    now_ns: int,
    origin_url: str,
    appliances_max: int,
    token_of: Callable[[str], str] = no_token,
    explain: bool = False,
) -> Ranking:
    """Rank every source of ``title`` for a viewer.

    Args:
        title: What is asked for.
        order: From ``order_sites`` for the viewer's prefixes.
        look: A site's appliances.
        viewer: Who asks.
        now_ns: Wall clock.
        origin_url: Base URL of the last resort; empty: there is none.
        appliances_max: Appliances offered at most.
        token_of: The token that an appliance asks for, as it stands in the path.
        explain: Look at all of ``order``, to say why each lost, not only until enough are found; otherwise boxes of
            open sites that hold nothing of the title are passed over in silence.
    """
    if barred := bar(title, viewer.region, now_ns):
        return Ranking((), (), barred)
    chosen: list[_Fit] = []
    set_back: list[_Fit] = []
    rejected: list[Rejected] = []
    for tier in order:
        if len(rejected) >= REJECTED_MAX or (len(chosen) >= appliances_max and not explain):
            break
        for fit in _fits(title, tier, look, rejected, explain=explain):
            room = takes(fit.candidate.appliance, viewer.network, fit.candidate.share)
            (chosen if room else set_back).append(fit)
    ways = chosen + set_back
    wanted = len(title.assets)
    rejected += [
        Rejected(fit.candidate.appliance, f"{appliances_max} better ones are enough") for fit in ways[appliances_max:]
    ]
    places: dict[str, str] = {}
    pathways: list[Pathway] = []
    for fit in ways[:appliances_max]:
        site = fit.ranked.site.id
        where = places.get(site)
        if where is None:
            where = places[site] = _place(fit.ranked, viewer)
        pathways.append(_pathway(fit, where, wanted, len(pathways), token_of(fit.candidate.appliance)))
    pathways += _origins(origin_url, alone=not pathways)
    return Ranking(tuple(pathways), tuple(rejected))


def _fits(
    title: Title, tier: Sequence[RankedSite], look: Look, rejected: list[Rejected], *, explain: bool
) -> list[_Fit]:
    """The boxes of equally near sites that may serve, best first; the others go to ``rejected``."""
    fits = []
    for ranked in tier:
        told = explain or ranked.reach >= 0
        for candidate, holding in look(ranked.site.id, told):
            holds = holding.of(title) if holding is not None else _NOTHING
            if why_not := _why_not(title, ranked, candidate, holding, holds):
                rejected.append(Rejected(candidate.appliance, why_not))
            else:
                place = place_of(title.title, candidate.appliance, candidate.capacity)
                fits.append(_Fit(-len(holds), place, candidate, ranked, holds))
    fits.sort(key=_by_standing)
    return fits


def _why_not(
    title: Title, ranked: RankedSite, candidate: Candidate, holding: Holding | None, holds: frozenset[str]
) -> str:
    """Why a candidate cannot serve, gravest first; empty where it can."""
    if ranked.why_not:
        return ranked.why_not
    if title.regions and ranked.site.region not in title.regions:
        return f"its site {ranked.site.id} is in {ranked.site.region or 'no known region'}: no rights there"
    if not candidate.liveness.takes_viewers:
        return candidate.liveness.why
    if not holds:
        other = holding is not None and holding.other_revision(title)
        return "holds only an earlier revision of this title" if other else "does not hold this title"
    return ""


def _pathway(fit: _Fit, where: str, wanted: int, before: int, token_path: str) -> Pathway:
    candidate, holds = fit.candidate, fit.holds
    share = "holds it whole" if len(holds) == wanted else f"holds {len(holds)} of its {wanted} assets"
    place = "nearest" if not before else f"number {before + 1}"
    full = "nearly full: " if candidate.share < candidate.liveness.weight else ""
    room = "" if candidate.share >= 1 else f"; {full}takes {candidate.share:.0%} of its viewers"
    site = fit.ranked.site
    why = f"{place}: {where}; {share}; {candidate.liveness.why}{room}"
    return Pathway(
        candidate.appliance, candidate.url, site.class_, site.id, fit.ranked.distance_km, why, holds, token_path
    )


def _origins(url: str, *, alone: bool) -> list[Pathway]:
    """The origin; twice if it is alone, because players need a second pathway to retry on."""
    if not url:
        return []
    origin = Pathway(ORIGIN_PATHWAY, url, "fallback", "", None, "last resort: the origin holds everything", None)
    if not alone:
        return [origin]
    again = "the origin once more: players give up without a second pathway"
    return [origin, Pathway(ORIGIN_RETRY_PATHWAY, url, "fallback", "", None, again, None)]
