"""Brings what steering knows to the ranking: catalogue, fleet, prefixes and rights, for one client and title."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from oca.common.clock import monotonic_s, now_ns
from oca.common.messages import Load, PrefixQuality
from oca.common.prefix import Prefix
from steering.address import Address, parse_address
from steering.candidates import Candidate, Look, Viewer, candidate_of
from steering.catalogue import Catalogue, Title
from steering.claims import Claims, Shape
from steering.decision_log import DecisionLog
from steering.decision_record import Seen, seen_of, seen_sites
from steering.edition import Edition
from steering.expected import Expected
from steering.feedback import Feedback
from steering.fleet import Fleet
from steering.holders import Holding, TitleHolders
from steering.liveness import Liveness, Standing, report_age_limit_s
from steering.load import NO_LOAD
from steering.metrics import Counts
from steering.order import NEAREST_PER_CLASS, NearSite, Order, home_of, nearest_sites, order_sites
from steering.ranking import Ranking, no_token, rank
from steering.reach import Reach
from steering.recent import Recent
from steering.settings import SteeringSettings
from steering.signing import Signing
from steering.turnup import Check

ORDERS_KEPT = EDITIONS_KEPT = 8192
STANDING_S = 1.0
"""How long a site's boxes are not judged anew, unless one of them reports or is due to."""
_NETWORK_BITS = {4: 24, 6: 48}
"""Viewers of one network are sent to the same boxes."""
_STARTS = ("hls", "dash")
"""Manifests: each is a viewer who is about to begin."""
_NOTED = 0.01
_SIGNED = ("playback", "hls", "dash", "redirect")
"""What hands out URLs; steering answers hold none, and an explanation is for operators."""


class Decision(NamedTuple):
    """A ranking, and the network the client was found in."""

    title: Title
    ranking: Ranking
    viewer: Viewer

    @property
    def prefix(self) -> str:
        """The longest prefix of the client that some site claims; empty: none."""
        return self.viewer.prefixes[0] if self.viewer.prefixes else ""


class _KeptOrder(NamedTuple):
    """An order, and what of it is looked at: sites that do not claim the client only where they hold the title.

    Attributes:
        claiming: The tiers that claim the client; ``claiming_at``: their places in the order.
        open_at: The other sites, by number, each with the place of its tier.
    """

    order: Order
    claiming: Order
    claiming_at: frozenset[int]
    open_at: dict[int, int]

    def holding(self, holders: TitleHolders | None) -> Order:
        """The tiers that may be of use for a title held so."""
        sites = holders.sites if holders is not None else {}
        if len(sites) < len(self.open_at):
            found = {self.open_at[site] for site in sites if site in self.open_at}
        else:
            found = {place for site, place in self.open_at.items() if site in sites}
        return [self.order[place] for place in sorted(found | self.claiming_at)] if found else self.claiming


class _Rack(NamedTuple):
    """The appliances of a site as they stood when last looked at; ``until_s``: when to look again."""

    until_s: float
    candidates: list[Candidate]


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
            return_s=settings.fleet.return_s,
        )
        self.reach = Reach(settings.site, settings.routes)
        self.checks_of: Callable[[str], list[Check]] = lambda _: []
        """The checks of a new appliance that has yet to pass them; ``StandingOrders`` knows them."""
        self.feedback = Feedback(settings.feedback)
        self._site_numbers = self.fleet.holders.site_numbers
        self._racks: dict[str, _Rack] = {}
        self._nearest: dict[str, tuple[NearSite, ...]] = {}
        self._orders: Recent[tuple[Shape, ...], _KeptOrder] = Recent(ORDERS_KEPT)
        self._expected = Expected()
        self._editions: Recent[str, Edition] = Recent(EDITIONS_KEPT)
        self.log: DecisionLog | None = None
        """Where a sample of the decisions that send viewers goes."""

    def liveness(self, appliance: str) -> Liveness:
        """How an appliance stands now."""
        return self.fleet.liveness(appliance, monotonic_s())

    def standing(self, appliance: str) -> Standing:
        """How a pathway stands; what is no appliance of ours counts as gone."""
        return self.liveness(appliance).standing if appliance in self.site_of else "gone"

    def decide(
        self,
        title: Title,
        client: Address,
        *,
        kind: str,
        explain: bool = False,
        playing: str = "",
        declared: Sequence[str] = (),
    ) -> Decision:
        """Rank the sources of ``title`` for a client now; of one that plays, those that it knows and where it is."""
        covering = self.reach.claims.covering(client.version, client.number)
        if client.length < 128:
            covering = [(length, found) for length, found in covering if length <= client.length]
        claims = tuple([found for _, found in covering])
        viewer = self._viewer(client, [length for length, _ in covering], claims)
        holders = self.fleet.holders.of_title(title.title)
        ranking = rank(
            self._edition(title),
            self._whole_order(claims, viewer.home) if explain else self._order(claims, viewer.home).holding(holders),
            self._look_for(holders, anew=explain),
            viewer,
            now_ns=now_ns(),
            origin_url=self.origin_of(title) if self.settings.origin.for_players else "",
            cdn_url="" if title.origin_url else self.settings.origin.cdn_url.rstrip("/"),
            appliances_max=self.settings.api.pathways_max,
            explain=explain,
            playing=playing,
            declared=[name for name in declared if name in self.site_of],
            token_of=self._tokens_for(title) if kind in _SIGNED else no_token,
        )
        if self.log is not None and kind in _SIGNED and self.log.samples():
            self.log.add(self._seen(kind, title, client, viewer, ranking))
        self.counts.add(f"steering_decisions:{kind}")
        first = ranking.pathways[0].source_class if ranking.pathways else "none"
        self.counts.add(f"steering_first_choices:{first}")
        if (kind in _STARTS or playing) and ranking.pathways and ranking.pathways[0].pathway != playing:
            self.expect(ranking.pathways[0].pathway)
        return Decision(title, ranking, viewer)

    def expect(self, appliance: str) -> None:
        """A viewer is on its way there; the site is judged anew once such viewers come to a hundredth of the box."""
        site = self.site_of.get(appliance)
        report = self.fleet.members[appliance].report if site is not None else None
        if site is None or report is None or not report.load.link_bytes_per_s:
            return
        step = report.load.link_bytes_per_s * _NOTED / (self.settings.fleet.viewer_bits_per_s / 8)
        if self._expected.send(appliance, monotonic_s()) % max(1, int(step)) == 0:
            self._racks.pop(site, None)

    def origin_of(self, title: Title) -> str:
        """Base URL of the origin of ``title``; empty if it has none."""
        return title.origin_url or self.settings.origin.url.rstrip("/")

    def heard(self, appliance: str) -> None:
        """Its report has come: its site is judged anew."""
        self._racks.pop(self.site_of[appliance], None)

    def take_quality(self, appliance: str, rows: Iterable[PrefixQuality]) -> None:
        """Take up what players told an appliance, by the site that each client network belongs to."""
        if not self.settings.feedback.enabled:
            return
        by_home: dict[str, list[PrefixQuality]] = {}
        for row in rows:
            address = parse_address(row.prefix.partition("/")[0])
            if address is not None:
                claims = [found for _, found in self.reach.claims.covering(address.version, address.number)]
                by_home.setdefault(home_of(claims), []).append(row)
        by_home.pop("", None)
        self.feedback.take(appliance, by_home, monotonic_s())

    def token_path(self, appliance: str, title: Title) -> str:
        """The token for ``title`` that an appliance asks for, as it stands in the path; empty: it asks for none."""
        report = self.fleet.members[appliance].report
        return self.signing.token_path(report.keys, title.mount) if report is not None else ""

    def _tokens_for(self, title: Title) -> Callable[[tuple[str, ...]], str]:
        """The tokens of one decision: boxes that hold the same keys share one."""
        made: dict[tuple[str, ...], str] = {}

        def token_of(keys: tuple[str, ...]) -> str:
            token = made.get(keys)
            if token is None:
                token = made[keys] = self.signing.token_path(keys, title.mount)
            return token

        return token_of

    def _viewer(self, client: Address, lengths: Sequence[int], claims: Sequence[Claims]) -> Viewer:
        home = home_of(claims)
        bits = 32 if client.version == 4 else 128
        prefixes = [str(Prefix(client.version, length, client.number >> (bits - length))) for length in lengths]
        region = self.sites[home].region if home else ""
        network = f"{client.number >> (bits - _NETWORK_BITS[client.version]):x}"
        return Viewer(home, prefixes, claims, region, network, self.feedback.of_home(home))

    def _edition(self, title: Title) -> Edition:
        edition = self._editions.get(title.title)
        if edition is None or edition.title is not title:
            edition = Edition(title)
            self._editions.put(title.title, edition)
        return edition

    def _order(self, claims: tuple[Claims, ...], home: str) -> _KeptOrder:
        """The order for a client whose prefixes are claimed so."""
        shape = tuple([each.shape for each in claims])
        kept = self._orders.get(shape)
        if kept is None:
            nearest = self._nearest.get(home)
            if nearest is None:
                nearest = nearest_sites(self.sites.values(), self.sites.get(home), per_class_max=NEAREST_PER_CLASS)
                self._nearest[home] = nearest
            order = order_sites(self.sites, claims, nearest)
            claiming = [place for place, tier in enumerate(order) if tier[0].reach >= 0]
            numbers = self._site_numbers
            open_at = {
                numbers[ranked.site.id]: place
                for place, tier in enumerate(order)
                for ranked in tier
                if ranked.reach < 0 and ranked.site.appliance
            }
            kept = _KeptOrder(order, [order[place] for place in claiming], frozenset(claiming), open_at)
            self._orders.put(shape, kept)
        return kept

    def _seen(self, kind: str, title: Title, client: Address, viewer: Viewer, ranking: Ranking) -> Seen:
        """The decision with all that it was made by, as far as other sites and boxes could change it."""
        holders = self.fleet.holders.of_title(title.title)
        network = Prefix(client.version, _NETWORK_BITS[client.version], int(viewer.network, 16))
        order = self._order(tuple(viewer.reach), viewer.home).holding(holders)
        look = self._look_for(holders, anew=False)
        made_by = seen_sites(self._edition(title), order, look, self._load_of)
        return seen_of(ranking, title, viewer, made_by, at_ns=now_ns(), kind=kind, network=str(network))

    def _load_of(self, appliance: str) -> Load:
        report = self.fleet.members[appliance].report
        return report.load if report is not None else NO_LOAD

    def _whole_order(self, claims: tuple[Claims, ...], home: str) -> Order:
        nearest = nearest_sites(self.sites.values(), self.sites.get(home), per_class_max=len(self.sites))
        return order_sites(self.sites, claims, nearest, explain=True)

    def _look_for(self, holders: TitleHolders | None, *, anew: bool) -> Look:
        """Boxes by site, each with what it holds of a title; ``anew``: judged now, whatever is kept."""
        judged = self._judged if anew else self._rack

        def look(site: str, everyone: bool) -> Iterable[tuple[Candidate, Holding | None]]:
            boxes = judged(site).candidates
            held = holders.at(self._site_numbers[site], len(boxes)) if holders is not None and boxes else ()
            if held:
                return zip(boxes, held, strict=True)
            return [(candidate, None) for candidate in boxes] if everyone else ()

        return look

    def _rack(self, site: str) -> _Rack:
        """The appliances of a site as they stand; a verdict is good until the report that it is about is too old."""
        kept = self._racks.get(site)
        if kept is None or monotonic_s() >= kept.until_s:
            kept = self._racks[site] = self._judged(site)
        return kept

    def _judged(self, site: str) -> _Rack:
        now_s = monotonic_s()
        names = [entry.id for entry in self.sites[site].appliance]
        too_old_at_s = [self.fleet.members[name].received_at_s + self.fleet.age_limit_s for name in names]
        until_s = min([now_s + STANDING_S, *(at_s for at_s in too_old_at_s if at_s > now_s)])
        return _Rack(until_s, [self._box(name, now_s) for name in names])

    def _box(self, appliance: str, now_s: float) -> Candidate:
        report = self.fleet.members[appliance].report
        liveness = self.fleet.liveness(appliance, now_s)
        if report is None:
            return Candidate(appliance, "", liveness)
        fleet = self.settings.fleet
        return candidate_of(
            appliance,
            liveness,
            report.load,
            fleet,
            expected_bytes_per_s=self._expected.viewers(appliance, now_s) * fleet.viewer_bits_per_s / 8,
            url=report.delivery_urls[0].rstrip("/"),
            keys=tuple(report.keys),
        )
