"""In which order sites serve a client: by class, by who claims the client's prefixes and how well, by distance. Pure.

Which boxes of them may, and who is first among equals, is the ranking's business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple, final

from mypy_extensions import mypyc_attr

from steering.geography import distance_km
from steering.routes.claims import Claims
from steering.settings import Site

NEAREST_PER_CLASS = 16
"""Open sites looked at for one client: so many of each class, and beyond them so many that hold the title."""
CLASSES = ("embedded", "peering", "regional")
"""In the order in which they serve."""
_CLASS_RANK = {name: rank for rank, name in enumerate(CLASSES)}
_tier = itemgetter(0, 1, 2, 3, 4)


@final
@mypyc_attr(acyclic=True)
class RankedSite:
    """A site in the order of one client network.

    Attributes:
        reach: Which of the client's prefixes, longest first, the site claims; -1: none.
        why_not: Why it may not serve; empty where it may.
        words: What is said of it to clients of that network, once it has been put into words.
    """

    __slots__ = ("distance_km", "reach", "site", "why_not", "words")

    def __init__(self, site: Site, distance_km: float | None, reach: int, why_not: str) -> None:
        self.site, self.distance_km, self.reach, self.why_not = site, distance_km, reach, why_not
        self.words = ""


Order = Sequence[Sequence[RankedSite]]
"""Sites in the order of one client network, in tiers: those that are equally near stand together."""
Tiers = Iterable[Sequence[RankedSite]]
"""The same, made as it is gone through, each time anew."""


class NearSite(NamedTuple):
    """A site that serves any client, and how far it is from the client's own; None where that is not known."""

    site: Site
    distance_km: float | None


def nearest_sites(sites: Iterable[Site], home: Site | None, *, per_class_max: int) -> tuple[NearSite, ...]:
    """The sites that serve anyone, by class, then by distance from ``home``; of each class the nearest few.

    Costs a walk over all sites, but depends on the client's own site alone: callers keep the result.
    """
    open_sites = [NearSite(site, distance_between(home, site)) for site in sites if site.class_ != "embedded"]
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
    for claims in reach:
        if shape := claims.shape:
            return shape[0][1]
    return ""


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
    ordered: list[tuple[int, int, int, int, float, str, RankedSite]] = []
    for site_id, (index, rank_) in own.items():
        site = sites[site_id]
        away = distance_between(home, site)
        tied = (index, rank_) == own[name]
        distance = 0.0 if tied else away or 0.0
        ranked = RankedSite(site, away, index, "")
        ordered.append((_CLASS_RANK[site.class_], 0, index, rank_, distance, site_id, ranked))
    for site, away in nearest:
        if site.id not in own:
            ranked = RankedSite(site, away, -1, "")
            ordered.append((_CLASS_RANK[site.class_], 1, 0, 0, away or 0.0, site.id, ranked))
    ordered.sort()
    order = [tuple([item[-1] for item in tier]) for _, tier in groupby(ordered, key=_tier)]
    if explain:
        elsewhere = "embedded in another network than the client's"
        others = [site for site in sites.values() if site.class_ == "embedded" and site.id not in own]
        order += [(RankedSite(site, distance_between(home, site), -1, elsewhere),) for site in others]
    return order


def claiming_sites(sites: Mapping[str, Site], reach: Sequence[Claims]) -> Order:
    """Of ``order_sites``, those that claim the client; in a full table mostly each prefix is claimed by one site."""
    own: dict[str, int] = {}
    for index, claims in enumerate(reach):
        shape = claims.shape
        if len(shape) > 1:
            return order_sites(sites, reach, ())
        if shape:
            own.setdefault(shape[0][1], index)
    home = sites[next(iter(own))] if own else None
    found = [(RankedSite(site := sites[name], distance_between(home, site), index, ""),) for name, index in own.items()]
    return sorted(found, key=lambda tier: _CLASS_RANK[tier[0].site.class_]) if len(found) > 1 else found


def tiers_of(nearest: Sequence[NearSite]) -> Order:
    """Open sites of one class that claim nothing, as they stand in an order."""
    by_distance = groupby(nearest, key=lambda near: near.distance_km or 0.0)
    return [tuple(RankedSite(site, away, -1, "") for site, away in tier) for _, tier in by_distance]


def distance_between(home: Site | None, site: Site) -> float | None:
    """Kilometres; None: there is no home."""
    if home is None:
        return None
    if site is home:
        return 0.0
    return distance_km(home.latitude, home.longitude, site.latitude, site.longitude)
