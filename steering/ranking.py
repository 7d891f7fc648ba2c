"""The ranking: which sources may serve this title to this client, in what order, and why the others lost.

One ranking answers playback, both manifests, both steering answers and redirects. Pure: the world comes in as
arguments. Order: class (embedded, peering, regional), the client's own prefixes first, longer prefix, distance;
within a site well before degraded, whole ladders before partial ones, then rendezvous, so that one title lands on few
boxes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from oca.common.digest import rendezvous_score
from oca.common.messages import FillSource
from steering.catalogue import Title
from steering.geography import distance_km
from steering.liveness import Liveness
from steering.prefixes import Match
from steering.settings import ORIGIN_PATHWAY, ORIGIN_RETRY_PATHWAY, Site

_CLASS_RANK = {"embedded": 0, "peering": 1, "regional": 2}
REJECTED_MAX = 200
FILL_SOURCES_MAX = 16


class Candidate(NamedTuple):
    """An appliance as the decision sees it; ``held`` maps asset → revision."""

    appliance: str
    url: str
    liveness: Liveness
    held: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pathway:
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


@dataclass(frozen=True, slots=True)
class Ranking:
    """Pathways best first, the origin last. ``barred`` says why nobody may serve it to this client, if so."""

    pathways: tuple[Pathway, ...]
    rejected: tuple[Rejected, ...]
    barred: str = ""


class RankedSite(NamedTuple):
    """A site in the order of one client network; ``why_not`` is empty where the site may serve it."""

    site: Site
    distance_km: float | None
    why: str
    why_not: str


class NearSite(NamedTuple):
    """A site that serves any client, and how far it is from the client's own; None where that is not known."""

    site: Site
    distance_km: float | None


def nearest_sites(sites: Iterable[Site], home: Site | None, *, per_class_max: int) -> tuple[NearSite, ...]:
    """The sites that serve anyone, by class, then by distance from ``home``; of each class the nearest few.

    Costs a walk over all sites, but depends on the client's own site alone: callers keep the result.
    """
    open_sites = [NearSite(site, _distance(home, site)) for site in sites if site.class_ != "embedded"]
    open_sites.sort(key=lambda near: (_CLASS_RANK[near.site.class_], near.distance_km or 0.0, near.site.id))
    taken: Counter[str] = Counter()
    nearest = []
    for near in open_sites:
        taken[near.site.class_] += 1
        if taken[near.site.class_] <= per_class_max:
            nearest.append(near)
    return tuple(nearest)


def order_sites(
    sites: Mapping[str, Site], match: Match | None, nearest: Iterable[NearSite], *, explain: bool = False
) -> tuple[RankedSite, ...]:
    """Sites in the order in which a client with this longest match is served.

    Args:
        sites: Every site by its id.
        match: The client's longest prefix, with the wider ones.
        nearest: From ``nearest_sites`` for the site of ``match``.
        explain: Append the embedded sites of other networks, with why they may not serve.
    """
    home = sites[match.site] if match is not None else None
    own: dict[str, Match] = {}
    for found in match.chain() if match is not None else ():
        own.setdefault(found.site, found)
    ordered = [
        (_CLASS_RANK[sites[name].class_], 0, RankedSite(sites[name], away, _place(sites[name], away, home, mine), ""))
        for name, mine in own.items()
        for away in (_distance(home, sites[name]),)
    ]
    for site, away in nearest:
        if site.id not in own:
            ordered.append((_CLASS_RANK[site.class_], 1, RankedSite(site, away, _place(site, away, home, None), "")))
    # Sorting is stable: longest prefix first among a client's own sites, nearest first among the others.
    ranked = [entry for *_, entry in sorted(ordered, key=lambda item: item[:2])]
    if explain:
        elsewhere = "embedded in another network than the client's"
        others = (site for site in sites.values() if site.class_ == "embedded" and site.id not in own)
        ranked += [RankedSite(site, _distance(home, site), "", elsewhere) for site in others]
    return tuple(ranked)


def _distance(home: Site | None, site: Site) -> float | None:
    return distance_km(home.latitude, home.longitude, site.latitude, site.longitude) if home is not None else None


def _place(site: Site, away: float | None, home: Site | None, mine: Match | None) -> str:
    reach = f"client in its prefix {mine.prefix}" if mine is not None else "serves any client"
    place = f"{away:.0f} km from {home.id}" if home is not None and away is not None else "client in no prefix"
    return f"{site.class_} site {site.id}: {reach}, {place}"


def bar(title: Title, region: str, now_ns: int) -> str:
    """Why nobody may serve ``title`` to a client in ``region`` now, or an empty string."""
    if title.released_at_ns > now_ns:
        released = datetime.fromtimestamp(title.released_at_ns / 1e9, tz=UTC)
        return f"not released before {released:%Y-%m-%dT%H:%M:%SZ}"
    if title.regions and region not in title.regions:
        return f"no rights in {region or 'a client region that is not known'}; granted: {', '.join(title.regions)}"
    return ""


def rank(
    title: Title,
    sites: Sequence[RankedSite],
    candidates: Callable[[str], Sequence[Candidate]],
    *,
    region: str,
    now_ns: int,
    origin_url: str,
    appliances_max: int,
    explain: bool = False,
) -> Ranking:
    """Rank every source of ``title`` for a client.

    Args:
        title: What is asked for.
        sites: From ``order_sites`` for the client's prefix.
        candidates: A site's appliances, as they stand now.
        region: The client's region, for rights; empty: unknown.
        now_ns: Wall clock.
        origin_url: Base URL of the last resort; empty: there is none.
        appliances_max: Appliances offered at most.
        explain: Look at all ``sites``, to say why each lost, not only until enough are found.
    """
    if barred := bar(title, region, now_ns):
        return Ranking((), (), barred)
    pathways: list[Pathway] = []
    rejected: list[Rejected] = []
    wanted = {asset.asset: asset.revision for asset in title.assets}
    playable = frozenset(asset.asset for asset in title.media())
    for ranked in sites:
        if len(rejected) >= REJECTED_MAX or (len(pathways) >= appliances_max and not explain):
            break
        fits = []
        for candidate in candidates(ranked.site.id):
            holds, why_not = _consider(title, ranked, candidate, wanted, playable)
            if why_not:
                rejected.append(Rejected(candidate.appliance, why_not))
            else:
                score = rendezvous_score(title.title, candidate.appliance)
                fits.append((candidate.liveness.degraded, -len(holds), -score, candidate, holds))
        for *_, candidate, holds in sorted(fits, key=lambda fit: fit[:3]):
            if len(pathways) >= appliances_max:
                rejected.append(Rejected(candidate.appliance, f"{appliances_max} better ones are enough"))
                continue
            pathways.append(_pathway(ranked, candidate, holds, len(wanted), len(pathways)))
    pathways += _origins(origin_url, alone=not pathways)
    return Ranking(tuple(pathways), tuple(rejected))


def _consider(
    title: Title, ranked: RankedSite, candidate: Candidate, wanted: Mapping[str, str], playable: frozenset[str]
) -> tuple[list[str], str]:
    """What of the title a candidate holds, and why it cannot serve it, if so."""
    if ranked.why_not:
        return [], ranked.why_not
    if title.regions and ranked.site.region not in title.regions:
        return [], f"its site {ranked.site.id} is in {ranked.site.region or 'no known region'}: no rights there"
    if not candidate.liveness.takes_viewers:
        return [], candidate.liveness.why
    held = candidate.held
    holds = [asset for asset, revision in wanted.items() if held.get(asset) == revision]
    if playable.isdisjoint(holds):
        other = any(asset in held for asset in playable)
        return [], "holds only an earlier revision of this title" if other else "does not hold this title"
    return holds, ""


def _pathway(ranked: RankedSite, candidate: Candidate, holds: list[str], wanted: int, before: int) -> Pathway:
    share = "holds it whole" if len(holds) == wanted else f"holds {len(holds)} of its {wanted} assets"
    place = "nearest" if not before else f"number {before + 1}"
    return Pathway(
        pathway=candidate.appliance,
        url=candidate.url,
        source_class=ranked.site.class_,
        site=ranked.site.id,
        distance_km=ranked.distance_km,
        why=f"{place}: {ranked.why}; {share}; {candidate.liveness.why}",
        holds=frozenset(holds),
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


def fill_sources(
    sites: Mapping[str, Site],
    site_of: Mapping[str, str],
    appliance: str,
    holders: Iterable[str],
    url_of: Callable[[str], str],
    *,
    asset: str,
    origin_url: str,
) -> list[FillSource]:
    """Where ``appliance`` should fetch an asset: its site's peers, then other sites by distance, then the origin.

    Args:
        sites: Site id → site.
        site_of: Appliance → site id.
        appliance: Who asks.
        holders: Those that hold the asset's present revision.
        url_of: Base URL of a holder, or an empty string if it is not up; asked of the nearest ones only.
        asset: Spreads fetches over equally near holders, by rendezvous.
        origin_url: The last source; empty: none.
    """
    home = sites[site_of[appliance]]
    places: dict[str, list[str]] = {}
    for name in holders:
        if name != appliance:
            places.setdefault(site_of[name], []).append(name)
    rings: dict[tuple[bool, float], list[str]] = {}
    for place, names in places.items():
        site = sites[place]
        away = distance_km(home.latitude, home.longitude, site.latitude, site.longitude)
        rings.setdefault((site is not home, away), []).extend(names)
    sources: list[FillSource] = []
    for ring in sorted(rings):
        if len(sources) >= FILL_SOURCES_MAX:
            break
        kind: Literal["peer", "tier"] = "tier" if ring[0] else "peer"
        reachable = [(name, url) for name in rings[ring] if (url := url_of(name))]
        reachable.sort(key=lambda found: -rendezvous_score(f"{asset}\0{appliance}", found[0]))
        sources += [FillSource(kind=kind, url=url, appliance=name) for name, url in reachable]
    return sources[:FILL_SOURCES_MAX] + ([FillSource(kind="origin", url=origin_url)] if origin_url else [])
