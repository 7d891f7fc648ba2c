"""In which order sites serve a client: by class, by who claims the client's prefixes and how well, by distance. Pure.

Which boxes of them may, and who is first among equals, is the ranking's business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from steering.claims import Claims
from steering.geography import distance_km
from steering.settings import Site

NEAREST_PER_CLASS = 16
"""Open sites looked at for one client."""
_CLASS_RANK = {"embedded": 0, "peering": 1, "regional": 2}


class RankedSite(NamedTuple):
    """A site in the order of one client network.

    Attributes:
        reach: Which of the client's prefixes, longest first, the site claims; -1: none.
        why_not: Why it may not serve; empty where it may.
    """

    site: Site
    distance_km: float | None
    reach: int
    why_not: str


Order = Sequence[Sequence[RankedSite]]
"""Sites in the order of one client network, in tiers: those that are equally near stand together."""


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


def home_of(reach: Sequence[Claims]) -> str:
    """The site that a client belongs to: of its longest prefix that counts, the one with the best path; empty: none."""
    return next((claims.ranked[0][1].site for claims in reach if claims.ranked), "")


def order_sites(
    sites: Mapping[str, Site], reach: Sequence[Claims], nearest: Iterable[NearSite], *, explain: bool = False
) -> Order:
    """Sites in the order in which a client whose prefixes are claimed so is served.

    By class; within one, those that claim the client's prefixes first: the longest prefix, then the best path, then the
    nearest to the client's own site.

    Args:
        sites: Every site by its id.
        reach: The claims to each of the client's prefixes, longest first.
        nearest: From ``nearest_sites`` for ``home_of(reach)``.
        explain: Append the embedded sites of other networks, with why they may not serve.
    """
    name = home_of(reach)
    home = sites[name] if name else None
    own: dict[str, tuple[int, int]] = {}
    for index, claims in enumerate(reach):
        for rank_, site_id in claims.shape:
            own.setdefault(site_id, (index, rank_))
    ordered: list[tuple[tuple[int, int, int, int, float], RankedSite]] = []
    for site_id, (index, rank_) in own.items():
        site = sites[site_id]
        away = _distance(home, site)
        tied = (index, rank_) == own[name]
        key = (_CLASS_RANK[site.class_], 0, index, rank_, 0.0 if tied else away or 0.0)
        ordered.append((key, RankedSite(site, away, index, "")))
    for site, away in nearest:
        if site.id not in own:
            key = (_CLASS_RANK[site.class_], 1, 0, 0, away or 0.0)
            ordered.append((key, RankedSite(site, away, -1, "")))
    ordered.sort(key=lambda item: (item[0], item[1].site.id))
    order = [tuple(ranked for _, ranked in tier) for _, tier in groupby(ordered, key=lambda item: item[0])]
    if explain:
        elsewhere = "embedded in another network than the client's"
        others = (site for site in sites.values() if site.class_ == "embedded" and site.id not in own)
        order += [(RankedSite(site, _distance(home, site), -1, elsewhere),) for site in others]
    return order


def _distance(home: Site | None, site: Site) -> float | None:
    return distance_km(home.latitude, home.longitude, site.latitude, site.longitude) if home is not None else None
