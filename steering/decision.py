"""Brings what steering knows to the ranking: catalogue, fleet, prefixes and rights, for one client and title."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_network

from oca.common.clock import monotonic_s, now_ns
from steering.address import Address
from steering.catalogue import Catalogue, Title
from steering.fleet import Fleet
from steering.liveness import Liveness, Standing, report_age_limit_s
from steering.metrics import Counts
from steering.prefixes import Match, PrefixTable
from steering.ranking import Candidate, NearSite, Pathway, RankedSite, Ranking, nearest_sites, order_sites, rank
from steering.settings import SteeringSettings
from steering.signing import Signing

NEAREST_PER_CLASS = 16
ORDERS_MAX = 4096
_SIGNED = ("playback", "hls", "dash", "redirect")
"""What hands out URLs; steering answers hold none, and an explanation is for operators."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A ranking, and the network the client was found in."""

    title: Title
    ranking: Ranking
    match: Match | None
    region: str


class Decider:
    """Everything a decision needs, in memory."""

    def __init__(self, settings: SteeringSettings, catalogue: Catalogue, counts: Counts, signing: Signing) -> None:
        self.settings = settings
        self.signing = signing
        self.catalogue = catalogue
        self.counts = counts
        self.sites = {site.id: site for site in settings.site}
        self.site_of = {entry.id: site.id for site in settings.site for entry in site.appliance}
        self.fleet = Fleet(
            self.site_of,
            age_limit_s=report_age_limit_s(
                settings.fleet.report_interval_s, settings.fleet.missed_reports_max, settings.fleet.report_grace_s
            ),
        )
        self._prefixes = PrefixTable(
            (ip_network(prefix), site.id) for site in settings.site for prefix in site.prefixes
        )
        self._nearest: dict[str, tuple[NearSite, ...]] = {}
        self._orders: dict[Match | None, tuple[RankedSite, ...]] = {}

    def liveness(self, appliance: str) -> Liveness:
        """How an appliance stands now."""
        return self.fleet.liveness(appliance, monotonic_s())

    def standing(self, appliance: str) -> Standing:
        """How a pathway stands; what is no appliance of ours counts as gone."""
        return self.liveness(appliance).standing if appliance in self.site_of else "gone"

    def decide(self, title: Title, client: Address, *, kind: str, explain: bool = False) -> Decision:
        """Rank the sources of ``title`` for a client now."""
        match = self._prefixes.longest(client.version, client.number)
        region = self.sites[match.site].region if match is not None else ""
        ranking = rank(
            title,
            self._order(match) if not explain else self._whole_order(match),
            self._candidates,
            region=region,
            now_ns=now_ns(),
            origin_url=self.origin_of(title),
            appliances_max=self.settings.api.pathways_max,
            explain=explain,
        )
        if kind in _SIGNED:
            ranking = replace(ranking, pathways=tuple(self._signed(pathway, title) for pathway in ranking.pathways))
        self.counts.add(f"steering_decisions:{kind}")
        first = ranking.pathways[0].source_class if ranking.pathways else "none"
        self.counts.add(f"steering_first_choices:{first}")
        return Decision(title, ranking, match, region)

    def origin_of(self, title: Title) -> str:
        """Base URL of the origin of ``title``; empty if it has none."""
        return title.origin_url or self.settings.origin.url.rstrip("/")

    def token_path(self, appliance: str, title: Title) -> str:
        """The token for ``title`` that an appliance asks for, as it stands in the path; empty: it asks for none."""
        report = self.fleet.members[appliance].report
        return self.signing.token_path(report.keys, title.mount) if report is not None else ""

    def _signed(self, pathway: Pathway, title: Title) -> Pathway:
        if pathway.pathway not in self.site_of:  # the origin is no appliance
            return pathway
        return replace(pathway, token_path=self.token_path(pathway.pathway, title))

    def _order(self, match: Match | None) -> tuple[RankedSite, ...]:
        order = self._orders.get(match)
        if order is None:
            home = match.site if match is not None else ""
            nearest = self._nearest.get(home)
            if nearest is None:
                nearest = nearest_sites(self.sites.values(), self.sites.get(home), per_class_max=NEAREST_PER_CLASS)
                self._nearest[home] = nearest
            if len(self._orders) >= ORDERS_MAX:
                self._orders.clear()
            order = self._orders[match] = order_sites(self.sites, match, nearest)
        return order

    def _whole_order(self, match: Match | None) -> tuple[RankedSite, ...]:
        home = self.sites[match.site] if match is not None else None
        nearest = nearest_sites(self.sites.values(), home, per_class_max=len(self.sites))
        return order_sites(self.sites, match, nearest, explain=True)

    def _candidates(self, site: str) -> list[Candidate]:
        now_s = monotonic_s()
        candidates = []
        for entry in self.sites[site].appliance:
            member = self.fleet.members[entry.id]
            url = member.report.delivery_urls[0].rstrip("/") if member.report is not None else ""
            candidates.append(Candidate(entry.id, url, self.fleet.liveness(entry.id, now_s), member.held))
        return candidates
