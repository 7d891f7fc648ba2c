"""The ranking: which sources may serve this title to this client, in what order, and why the others lost.

One ranking answers playback, both manifests, both steering answers and redirects. Pure: the world comes in as
arguments. Order: class (embedded, peering, regional), the client's own prefixes first, longer prefix, better path,
distance; among the boxes of equally near sites whole ladders before partial ones, then rendezvous weighted by capacity,
so that one title lands on few boxes. A box that is nearly full, or degraded, is set back behind all that are not for a
share of networks, so that its load goes over to the next ones and none is overfull.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from oca.common.digest import rendezvous_score
from steering.candidates import Fit, Look, Rejected, Viewer, fits_in
from steering.edition import Edition
from steering.load import room_place, takes
from steering.order import Order, RankedSite
from steering.rights import bar
from steering.settings_check import CDN_PATHWAY, ORIGIN_PATHWAY, ORIGIN_RETRY_PATHWAY

REJECTED_MAX = 200
NEIGHBOURS = 3
"""Sites that share the viewers of one that is lost."""


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


class Ranking(NamedTuple):
    """Pathways best first, the origin last. ``barred`` says why nobody may serve it to this client, if so."""

    pathways: tuple[Pathway, ...]
    rejected: tuple[Rejected, ...]
    barred: str = ""


def no_token(keys: tuple[str, ...]) -> str:
    """For where nothing is signed."""
    del keys
    return ""


def rank(
    edition: Edition,
    order: Order,
    look: Look,
    viewer: Viewer,
    *,
    now_ns: int,
    origin_url: str,
    cdn_url: str = "",
    appliances_max: int,
    token_of: Callable[[tuple[str, ...]], str] = no_token,
    explain: bool = False,
    playing: str = "",
    declared: Sequence[str] = (),
) -> Ranking:
    """Rank every source of a title for a viewer.

    Args:
        edition: The title that is asked for.
        order: From ``order_sites`` for the viewer's prefixes.
        look: A site's appliances.
        viewer: Who asks.
        now_ns: Wall clock.
        origin_url: Base URL of the last resort; empty: there is none.
        cdn_url: Base URL of the CDN for those whom no appliance has room for; empty: there is none.
        appliances_max: Appliances offered at most.
        token_of: The token for an appliance with these keys, as it stands in the path.
        explain: Look at all of ``order``, to say why each lost, not only until enough are found; otherwise boxes of
            open sites that hold nothing of the title are passed over in silence.
        playing: The appliance that the viewer plays from already: it stays there, unless a nearer one has plenty of
            room, or it keeps this network no more.
        declared: Appliances that are to have their place whatever their number, if they may serve: a playing viewer
            knows no others.
    """
    title = edition.title
    if barred := bar(title, viewer.region, now_ns):
        return Ranking((), (), barred)
    ask = _Ask(edition, order, look, viewer, appliances_max, explain, frozenset(declared))
    chosen, set_back, rejected = _gather(ask)
    staying = _staying(chosen + set_back, playing, ask) if playing else None
    if staying is not None:
        chosen = [staying, *(fit for fit in chosen if fit is not staying)]
        set_back = [fit for fit in set_back if fit is not staying]
    offered = ask.offered(chosen)
    cdn_at = len(offered)
    offered += ask.offered(set_back, before=len(chosen))
    rejected += [
        Rejected(fit.candidate.appliance, f"{appliances_max} better ones are enough")
        for fit in (chosen + set_back)[appliances_max:]
    ]
    places: dict[str, str] = {}
    pathways = [_pathway(fit, number, ask, token_of(fit.candidate.keys), places) for number, fit in enumerate(offered)]
    if cdn_url:
        pathways.insert(cdn_at, Pathway(CDN_PATHWAY, cdn_url, "fallback", "", None, _CDN, None))
    pathways += _last_resort(origin_url, pathways)
    return Ranking(tuple(pathways), tuple(rejected))


def _pathway(fit: Fit, number: int, ask: _Ask, token_path: str, places: dict[str, str]) -> Pathway:
    box, site = fit.candidate, fit.ranked.site
    reasons = _Reasons(number, fit, len(ask.edition.whole), ask.viewer, places)
    away = fit.ranked.distance_km
    return Pathway(box.appliance, box.url, site.class_, site.id, away, reasons, fit.holds, token_path)


class _Ask(NamedTuple):
    """What a ranking is asked for, as ``rank`` has it."""

    edition: Edition
    order: Order
    look: Look
    viewer: Viewer
    appliances_max: int
    explain: bool
    declared: frozenset[str]

    def takes(self, fit: Fit) -> bool:
        """Whether a box has room for the viewer's network."""
        name, share, viewer = fit.candidate.appliance, fit.candidate.share, self.viewer
        if viewer.slowed:
            share *= viewer.left_of(name)
        return share >= 1.0 or takes(name, viewer.network, share)

    def offered(self, fits: list[Fit], *, before: int = 0) -> list[Fit]:
        """Those of ``fits`` that are offered, where so many stand before them."""
        first = max(0, self.appliances_max - before)
        if not self.declared:
            return fits[:first]
        return [fit for at, fit in enumerate(fits) if at < first or fit.candidate.appliance in self.declared]


def _gather(ask: _Ask) -> tuple[list[Fit], list[Fit], list[Rejected]]:
    """The boxes that may serve: those with room, best first, and those without; and who may not."""
    chosen: list[Fit] = []
    set_back: list[Fit] = []
    rejected: list[Rejected] = []
    unseen, enough = set(ask.declared), 0
    for tier in ask.order:
        is_enough = len(chosen) >= ask.appliances_max
        if len(rejected) >= REJECTED_MAX or (is_enough and not ask.explain and not unseen):
            break
        enough += not is_enough
        seen = len(rejected)
        for fit in fits_in(ask.edition, tier, ask.look, rejected, explain=ask.explain):
            (chosen if ask.takes(fit) else set_back).append(fit)
            unseen.discard(fit.candidate.appliance)
        if unseen:
            unseen.difference_update([lost.pathway for lost in rejected[seen:]])
    if 1 < ask.appliances_max <= len(chosen) and not ask.declared and _of_one_site(chosen[: ask.appliances_max]):
        chosen = _with_spares(chosen, _elsewhere(ask, enough), ask.appliances_max)
    if len(set_back) > 1:
        set_back.sort(key=lambda fit: room_place(ask.viewer.network, fit.candidate))
    return chosen, set_back, rejected


def _of_one_site(fits: Sequence[Fit]) -> bool:
    return len({fit.ranked.site.id for fit in fits}) == 1


def _staying(ways: list[Fit], playing: str, ask: _Ask) -> Fit | None:
    """The box that a viewer plays from, if it may stay there."""
    here = next((fit for fit in ways if fit.candidate.appliance == playing), None)
    kept = here.candidate.kept * ask.viewer.left_of(playing) if here is not None else 0.0
    if here is None or not takes(playing, ask.viewer.network, kept):
        return None
    nearer = ways[0].candidate.share >= 1.0 and _is_nearer(ask.order, ways[0], here)
    return None if nearer else here


def _is_nearer(order: Order, one: Fit, other: Fit) -> bool:
    """Whether ``one`` is of a nearer tier."""
    first = next(tier for tier in order if any(ranked in (one.ranked, other.ranked) for ranked in tier))
    return other.ranked not in first


def _with_spares(chosen: list[Fit], spares: Sequence[Fit], appliances_max: int) -> list[Fit]:
    """With boxes of other sites in the last places, up to half: a player that loses a site must know where to go."""
    spares = spares[: appliances_max // 2]
    names = {spare.candidate.appliance for spare in spares}
    others = [fit for fit in chosen if fit.candidate.appliance not in names]
    first = appliances_max - len(spares)
    return [*others[:first], *spares, *others[first:]]


def _elsewhere(ask: _Ask, after: int) -> list[Fit]:
    """A box of each of the next few sites, if one has room for this network: any of them, not the title's own.

    Which site comes first differs from network to network, so that they share the viewers of one that is lost.
    """
    rest = ask.order[after:]
    neighbours = (_holding(rest, ask.look) if ask.explain else rest)[:NEIGHBOURS]
    start = rendezvous_score("elsewhere", ask.viewer.network) % len(neighbours) if neighbours else 0
    found: list[Fit] = []
    for tier in (*neighbours[start:], *neighbours[:start]):
        if len(found) == ask.appliances_max // 2:
            break  # no more are offered
        able = [fit for fit in fits_in(ask.edition, tier, ask.look, [], explain=False) if ask.takes(fit)]
        if able:
            found.append(min(able, key=lambda fit: (fit.lacks, room_place(ask.viewer.network, fit.candidate))))
    return found


def _holding(order: Order, look: Look) -> Order:
    """The sites that a decision which is not to be explained would look at: others hold nothing of the title."""

    def holds(ranked: RankedSite) -> bool:
        return ranked.reach >= 0 or any(holding is not None for _, holding in look(ranked.site.id, False))

    return [tier for tier in order if not tier[0].why_not and any(map(holds, tier))]


class _Reasons(NamedTuple):
    """Why an appliance stands where it does; put into words only where they are told.

    ``places`` are shared by the pathways of a ranking: what was said of a site already.
    """

    before: int
    fit: Fit
    wanted: int
    viewer: Viewer
    places: dict[str, str]

    def text(self) -> str:
        """In words."""
        candidate, holds = self.fit.candidate, len(self.fit.holds)
        share = "holds it whole" if holds == self.wanted else f"holds {holds} of its {self.wanted} assets"
        place = f"number {self.before + 1}" if self.before else "nearest"
        full = "nearly full: " if candidate.share < candidate.liveness.weight else ""
        slowed = self.viewer.slowed.get(candidate.appliance)
        told = f"; {slowed.why}" if slowed is not None else ""
        left = candidate.share * self.viewer.left_of(candidate.appliance)
        room = "" if left >= 1 else f"; {full}takes {left:.0%} of its viewers"
        site = self.fit.ranked.site.id
        where = self.places.get(site)
        if where is None:
            where = self.places[site] = _place(self.fit.ranked, self.viewer)
        return f"{place}: {where}; {share}; {candidate.liveness.why}{told}{room}"


class Said(NamedTuple):
    """Reasons that are the same for every viewer."""

    words: str

    def text(self) -> str:
        """In words."""
        return self.words


_CDN = Said("a commercial CDN: for those whom no appliance has room for")
_ORIGIN = Said("last resort: the origin holds everything")
_AGAIN = Said("the same once more: players give up without a second pathway")


def _place(ranked: RankedSite, client: Viewer) -> str:
    site, away = ranked.site, ranked.distance_km
    claim = client.reach[ranked.reach].of_site(site.id) if ranked.reach >= 0 else None
    if claim is not None:
        reach = f"client in its prefix {client.prefixes[ranked.reach]} {claim.path}"
    else:
        reach = "serves any client"
    place = f"{away:.0f} km from {client.home}" if away is not None else "client in no prefix"
    return f"{site.class_} site {site.id}: {reach}, {place}"


def _last_resort(url: str, before: Sequence[Pathway]) -> list[Pathway]:
    """The origin; and what is alone and no appliance once more: players need a second pathway to retry on."""
    found = [Pathway(ORIGIN_PATHWAY, url, "fallback", "", None, _ORIGIN, None)] if url else []
    ways = [*before, *found]
    if len(ways) == 1 and ways[0].holds is None:
        found.append(ways[0]._replace(pathway=ORIGIN_RETRY_PATHWAY, reasons=_AGAIN))
    return found
