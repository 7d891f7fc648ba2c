"""The ranking: which sources may serve this title to this client, in what order, and why the others lost.

One ranking answers playback, both manifests, both steering answers and redirects. Pure: the world comes in as
arguments. Order: class (embedded, peering, regional), the client's own prefixes first, longer prefix, better path,
distance; among the boxes of equally near sites whole ladders before partial ones, then rendezvous weighted by capacity,
so that one title lands on few boxes. A box that is nearly full, or degraded, is set back behind all that are not for a
share of networks, so that its load goes over to the next ones and none is overfull.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import final

from mypy_extensions import mypyc_attr

from oca.common.digest import rendezvous_score
from steering.decision.candidate import Rejected
from steering.decision.candidates import Fit, Look, fits_in, spare_in
from steering.decision.edition import Assets, Edition
from steering.decision.load import room_places, takes
from steering.decision.order import RankedSite, Tiers
from steering.decision.reasons import AGAIN, CDN, ORIGIN, Reasons, Said, Why
from steering.decision.rights import bar
from steering.decision.viewer import Viewer
from steering.settings_check import CDN_PATHWAY, ORIGIN_PATHWAY, ORIGIN_RETRY_PATHWAY

REJECTED_MAX = 200
FALLBACKS_KEPT = 64
NEIGHBOURS = 3
"""Sites that share the viewers of one that is lost."""


@final
@mypyc_attr(acyclic=True)
class Pathway:
    """One source a player may use.

    Attributes:
        reasons: Why it stands where it does.
        holds: The assets that it serves; None for the origin, which holds everything.
        token_path: Goes between its URL and an object's path; empty where no token is needed.
    """

    __slots__ = ("distance_km", "holds", "pathway", "reasons", "site", "source_class", "token_path", "url")

    def __init__(
        self,
        pathway: str,
        url: str,
        *,
        source_class: str,
        site: str,
        distance_km: float | None,
        reasons: Why,
        holds: Assets | None,
        token_path: str = "",
    ) -> None:
        self.pathway, self.url, self.source_class, self.site = pathway, url, source_class, site
        self.distance_km, self.reasons, self.holds, self.token_path = distance_km, reasons, holds, token_path

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


@final
@mypyc_attr(acyclic=True)
class Ranking:
    """Pathways best first, the origin last. ``barred`` says why nobody may serve it to this client, if so."""

    __slots__ = ("barred", "pathways", "rejected")

    def __init__(self, pathways: tuple[Pathway, ...], rejected: tuple[Rejected, ...], barred: str = "") -> None:
        self.pathways, self.rejected, self.barred = pathways, rejected, barred


def no_token(keys: tuple[str, ...]) -> str:
    """For where nothing is signed."""
    del keys
    return ""


def rank(
    edition: Edition,
    order: Tiers,
    look: Look,
    viewer: Viewer,
    *,
    now_ns: int,
    now_s: float = 0.0,
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
        order: From ``order_sites`` for the viewer's prefixes; gone through more than once, as far as needed.
        look: A site's appliances.
        viewer: Who asks.
        now_ns: Wall clock.
        now_s: The clock that ``Candidate.heard`` goes by.
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
    if barred := bar(edition, viewer.region, now_ns):
        return Ranking((), (), barred)
    among = frozenset(declared)
    ask = _Ask(edition, order, look, viewer, appliances_max=appliances_max, explain=explain, declared=among)
    chosen, set_back, rejected = _gather(ask)
    staying = _staying(chosen + set_back, playing, ask) if playing else None
    if staying is not None:
        chosen = [staying, *[fit for fit in chosen if fit is not staying]]
        set_back = [fit for fit in set_back if fit is not staying]
    offered = ask.offered(chosen)
    cdn_at = len(offered)
    if set_back:
        offered += ask.offered(set_back, before=len(chosen))
    if len(chosen) + len(set_back) > appliances_max:
        why = f"{appliances_max} better ones are enough"
        rejected += [Rejected(fit.candidate.appliance, why) for fit in (chosen + set_back)[appliances_max:]]
    pathways = _pathways(ask, offered, now_s, token_of)
    if cdn_url:
        pathways.insert(cdn_at, _fallback(CDN_PATHWAY, cdn_url, CDN))
    pathways += _last_resort(origin_url, pathways)
    return Ranking(tuple(pathways), tuple(rejected))


@final
@mypyc_attr(acyclic=True)
class _Ask:
    """What a ranking is asked for, as ``rank`` has it."""

    __slots__ = ("appliances_max", "declared", "edition", "explain", "look", "order", "viewer")

    def __init__(
        self,
        edition: Edition,
        order: Tiers,
        look: Look,
        viewer: Viewer,
        *,
        appliances_max: int,
        explain: bool,
        declared: frozenset[str],
    ) -> None:
        self.edition, self.order, self.look, self.viewer = edition, order, look, viewer
        self.appliances_max, self.explain, self.declared = appliances_max, explain, declared

    def offered(self, fits: list[Fit], *, before: int = 0) -> list[Fit]:
        """Those of ``fits`` that are offered, where so many stand before them."""
        first = max(0, self.appliances_max - before)
        if not self.declared:
            return fits[:first]
        return [fit for at, fit in enumerate(fits) if at < first or fit.candidate.appliance in self.declared]


def _pathways(ask: _Ask, offered: list[Fit], now_s: float, token_of: Callable[[tuple[str, ...]], str]) -> list[Pathway]:
    """The boxes that are offered, each with why it stands there."""
    whole, viewer = len(ask.edition.names), ask.viewer
    pathways: list[Pathway] = []
    for number, fit in enumerate(offered):
        box, site = fit.candidate, fit.ranked.site
        pathways.append(
            Pathway(
                box.appliance,
                box.url,
                source_class=site.class_,
                site=site.id,
                distance_km=fit.ranked.distance_km,
                reasons=Reasons(number, fit, whole, viewer, now_s),
                holds=fit.holds,
                token_path=token_of(box.keys),
            )
        )
    return pathways


def _gather(ask: _Ask) -> tuple[list[Fit], list[Fit], list[Rejected]]:
    """The boxes that may serve: those with room, best first, and those without; and who may not."""
    edition, look, viewer, appliances_max, explain = ask.edition, ask.look, ask.viewer, ask.appliances_max, ask.explain
    chosen: list[Fit] = []
    set_back: list[Fit] = []
    rejected: list[Rejected] = []
    unseen, enough, slowed = set(ask.declared), 0, viewer.slowed
    tiers = iter(ask.order)
    while len(rejected) < REJECTED_MAX:
        is_enough = len(chosen) >= appliances_max
        if is_enough and not explain and not unseen:
            break
        tier = next(tiers, None)
        if tier is None:
            break
        enough += not is_enough
        seen = len(rejected)
        fits = fits_in(edition, tier, look, rejected, explain=explain)
        for fit in fits:
            has_room = (fit.candidate.share >= 1.0 and not slowed) or viewer.is_taken(fit.candidate)
            (chosen if has_room else set_back).append(fit)
        if unseen:
            unseen.difference_update([fit.candidate.appliance for fit in fits])
            unseen.difference_update([lost.pathway for lost in rejected[seen:]])
    if 1 < appliances_max <= len(chosen) and not ask.declared and _of_one_site(chosen[:appliances_max]):
        rest = _holding(islice(ask.order, enough, None), look) if explain else tiers
        spares = _elsewhere(ask, rest)
        if explain:  # each has been looked at already
            names = {spare.candidate.appliance for spare in spares}
            chosen = [fit for fit in chosen if fit.candidate.appliance not in names]
        # In the last places, up to half: a player that loses a site must know where to go.
        first = appliances_max - len(spares)
        chosen[first:first] = spares
    if len(set_back) > 1:
        places = room_places(viewer.network, [fit.candidate for fit in set_back])
        set_back = [set_back[at] for at in sorted(range(len(places)), key=places.__getitem__)]
    return chosen, set_back, rejected


def _of_one_site(fits: Sequence[Fit]) -> bool:
    first = fits[0].ranked
    return not [fit for fit in fits if fit.ranked is not first]


def _staying(ways: list[Fit], playing: str, ask: _Ask) -> Fit | None:
    """The box that a viewer plays from, if it may stay there."""
    here = next((fit for fit in ways if fit.candidate.appliance == playing), None)
    kept = here.candidate.kept * ask.viewer.left_of(playing) if here is not None else 0.0
    if here is None or not takes(playing, ask.viewer.network, kept):
        return None
    nearer = ways[0].candidate.share >= 1.0 and _is_nearer(ask.order, ways[0], here)
    return None if nearer else here


def _is_nearer(order: Tiers, one: Fit, other: Fit) -> bool:
    """Whether ``one`` is of a nearer tier; those of far sites are other objects each time."""
    sites = one.ranked.site.id, other.ranked.site.id
    first = next(tier for tier in order if any(ranked.site.id in sites for ranked in tier))
    return sites[1] not in [ranked.site.id for ranked in first]


def _elsewhere(ask: _Ask, rest: Iterable[Sequence[RankedSite]]) -> list[Fit]:
    """A box of each of the next few sites, if one has room for this network: any of them, not the title's own.

    Which site comes first differs from network to network, so that they share the viewers of one that is lost.
    """
    neighbours = list(islice(rest, NEIGHBOURS))
    start = rendezvous_score("elsewhere", ask.viewer.network) % len(neighbours) if neighbours else 0
    found: list[Fit] = []
    for tier in (*neighbours[start:], *neighbours[:start]):
        if len(found) == ask.appliances_max // 2:
            break  # no more are offered
        spare = spare_in(ask.edition, tier, ask.look, ask.viewer)
        if spare is not None:
            found.append(spare)
    return found


def _holding(order: Tiers, look: Look) -> Iterator[Sequence[RankedSite]]:
    """The sites that a decision which is not to be explained would look at: others hold nothing of the title."""
    for tier in order:
        if not tier[0].why_not and any(each.reach >= 0 or look(each.site.id)[1] is not None for each in tier):
            yield tier


def _last_resort(url: str, before: Sequence[Pathway]) -> list[Pathway]:
    """The origin; and what is alone and no appliance once more: players need a second pathway to retry on."""
    found = [_fallback(ORIGIN_PATHWAY, url, ORIGIN)] if url else []
    if len(before) + len(found) == 1 and (alone := (found or before)[0]).holds is None:
        found.append(_fallback(ORIGIN_RETRY_PATHWAY, alone.url, AGAIN))
    return found


@lru_cache(FALLBACKS_KEPT)
def _fallback(pathway: str, url: str, said: Said) -> Pathway:
    return Pathway(pathway, url, source_class="fallback", site="", distance_km=None, reasons=said, holds=None)
