"""Orders of sites, kept by what they depend on: who claims a client, and where its own site is. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby

from steering.decision.order import (
    CLASSES,
    NEAREST_PER_CLASS,
    NearSite,
    Order,
    RankedSite,
    Tiers,
    claiming_sites,
    distance_between,
    nearest_sites,
    order_sites,
    tiers_of,
)
from steering.fleet.holders import TitleHolders
from steering.routes.claims import Claims
from steering.settings import Site

_NONE: frozenset[int] = frozenset()


class OpenSites:
    """The sites that serve anyone, each class by their ids; ``places`` of those that have boxes, by number."""

    def __init__(self, sites: Iterable[Site], numbers: Mapping[str, int]) -> None:
        self.numbers = numbers
        self.sites = sorted((site for site in sites if site.class_ != "embedded"), key=lambda site: site.id)
        self.places: dict[str, dict[int, int]] = {name: {} for name in CLASSES}
        for place, site in enumerate(self.sites):
            if site.appliance:
                self.places[site.class_][numbers[site.id]] = place


class Around:
    """The open sites as they stand around a home: of each class the nearest few in tiers, the others by distance."""

    __slots__ = ("_at", "_away_km", "_is_known", "_open", "_regional_from", "_tiers")

    def __init__(self, open_sites: OpenSites, tiers: Order, away_km: Sequence[float], *, is_known: bool) -> None:
        """``tiers``: the nearest few; ``away_km``: of each open site.

        ``is_known``: whether there is a home; without it all are as far.
        """
        self._open, self._tiers, self._away_km, self._is_known = open_sites, tiers, away_km, is_known
        self._regional_from = sum(tier[0].site.class_ != "regional" for tier in tiers)
        # The tier of each site that has boxes, in their order.
        self._at = {
            open_sites.numbers[ranked.site.id]: place
            for place, tier in enumerate(tiers)
            for ranked in tier
            if ranked.site.appliance
        }

    def holding(
        self, sites: Mapping[int, object], own: Order, others: frozenset[int] = _NONE
    ) -> Iterator[Sequence[RankedSite]]:
        """The tiers of which one of ``sites`` is, by class; ``own``: regional ones that claim the client.

        Far sites are looked for only by who comes so far. ``others`` have their place by what they claim, and no other.
        """
        at, tiers = self._at, self._tiers
        last, is_regional = -1, False
        numbers: Iterable[int] = at
        if len(sites) < len(at):
            numbers = sorted([number for number in sites if number in at], key=at.__getitem__)
        for number in numbers:
            if number not in sites or number in others:
                continue
            place = at[number]
            if place >= self._regional_from and not is_regional:
                is_regional = True
                yield from self._far("peering", sites, others)
                yield from own
            if place != last:
                last = place
                yield tiers[place] if not others else self._without(others, tiers[place])
        if not is_regional:
            yield from self._far("peering", sites, others)
            yield from own
        yield from self._far("regional", sites, others)

    def _without(self, others: frozenset[int], tier: Sequence[RankedSite]) -> Sequence[RankedSite]:
        numbers = self._open.numbers
        return [ranked for ranked in tier if numbers.get(ranked.site.id) not in others]

    def _far(self, name: str, sites: Mapping[int, object], others: frozenset[int]) -> Iterable[Sequence[RankedSite]]:
        """Of a class, the nearest of the ``sites`` that are none of the nearest few, in tiers."""
        places, at = self._open.places[name], self._at
        far = [places[number] for number in places.keys() & sites.keys() if number not in at and number not in others]
        return self._tiers_of(far) if far else ()

    def _tiers_of(self, places: list[int]) -> Iterator[Sequence[RankedSite]]:
        away_km, is_known, sites = self._away_km, self._is_known, self._open.sites
        places.sort()
        places.sort(key=away_km.__getitem__)
        for away, tier in groupby(places[:NEAREST_PER_CLASS], key=away_km.__getitem__):
            yield tuple([RankedSite(sites[place], away if is_known else None, -1, "") for place in tier])


class KeptOrder:
    """An order, and what of it is looked at: sites that do not claim the client only where they hold the title.

    Behind the nearest open sites of a class come others of that class that hold the title, however far away.
    """

    __slots__ = ("_around", "_first", "_others", "_own", "_regional")

    def __init__(self, own: Order, around: Around, others: frozenset[int]) -> None:
        """``own``: those who claim the client, of which ``others`` are open to all and have boxes."""
        self._own = self._first = own
        self._regional: Order = ()
        self._around, self._others = around, others
        if own and own[-1][0].site.class_ == "regional":
            self._first = [tier for tier in own if tier[0].site.class_ != "regional"]
            self._regional = own[len(self._first) :]

    def holding(self, holders: TitleHolders | None) -> Tiers:
        """The tiers that may be of use for a title held so."""
        return _Holding(self, holders.sites) if holders is not None else self._own

    def tiers(self, sites: Mapping[int, object]) -> Iterator[Sequence[RankedSite]]:
        """The same, once."""
        return chain(self._first, self._around.holding(sites, self._regional, self._others))


class _Holding:
    """Tiers of a title: mostly the first few are all that is looked at."""

    __slots__ = ("_kept", "_sites")

    def __init__(self, kept: KeptOrder, sites: Mapping[int, object]) -> None:
        self._kept = kept
        self._sites = sites

    def __iter__(self) -> Iterator[Sequence[RankedSite]]:
        return self._kept.tiers(self._sites)


class Orders:
    """Of a fleet's sites, whose numbers are ``Holders``'."""

    def __init__(
        self, sites: Mapping[str, Site], numbers: Mapping[str, int], *, nearest_max: int = NEAREST_PER_CLASS
    ) -> None:
        self._sites = sites
        self._numbers = numbers
        self._nearest_max = nearest_max
        self._open = OpenSites(sites.values(), numbers)
        self._homes: dict[str, Around] = {}

    def of(self, claims: Sequence[Claims], home: str) -> KeptOrder:
        """The order for a client of ``home`` whose prefixes are claimed so.

        Put together anew: in a full table two clients in five are the first for their pair of prefixes, and to find it
        in memory that has grown cold takes as long.
        """
        own, others = claiming_sites(self._sites, claims), _NONE
        if own and own[-1][0].site.class_ != "embedded":
            open_to_all = [each.site for tier in own for each in tier if each.site.class_ != "embedded"]
            others = frozenset([self._numbers[site.id] for site in open_to_all if site.appliance])
        return KeptOrder(own, self._around(home), others)

    def whole(self, claims: Sequence[Claims], home: str) -> Order:
        """The same over all sites, with those that may not serve."""
        nearest = nearest_sites(self._sites.values(), self._sites.get(home), per_class_max=len(self._sites))
        return order_sites(self._sites, claims, nearest, explain=True)

    def _around(self, home: str) -> Around:
        """Kept for each: there are as many as sites, and to make one anew takes longer than a decision."""
        home = home if home in self._sites else ""
        found = self._homes.get(home)
        if found is None:
            found = self._homes[home] = self._new_around(home)
        return found

    def _new_around(self, home: str) -> Around:
        """As ``nearest_sites`` has them, in a part of its time: a walk over all that are open."""
        sites, site = self._open.sites, self._sites.get(home)
        away_km = [distance_between(site, other) for other in sites]
        away = array("d", [km or 0.0 for km in away_km])
        tiers: list[Sequence[RankedSite]] = []
        for name in CLASSES:
            places = sorted([at for at, other in enumerate(sites) if other.class_ == name], key=away.__getitem__)
            tiers += tiers_of([NearSite(sites[at], away_km[at]) for at in places[: self._nearest_max]])
        return Around(self._open, tiers, away, is_known=site is not None)
