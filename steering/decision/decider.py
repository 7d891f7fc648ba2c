"""Brings what steering knows to the ranking: catalogue, fleet, prefixes and rights, for one client and title."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import final

from mypy_extensions import mypyc_attr

from oca.common.clock import monotonic_s, now_ns
from oca.common.messages import Load, PrefixQuality
from oca.common.prefix import BITS, Prefix
from oca.common.standing import Standing
from steering.decision.address import Address, parse_address
from steering.decision.edition import Edition
from steering.decision.feedback import Feedback
from steering.decision.kept_orders import Orders
from steering.decision.load import NO_LOAD
from steering.decision.log import DecisionLog
from steering.decision.order import home_of
from steering.decision.racks import Racks
from steering.decision.ranking import Ranking, no_token, rank
from steering.decision.record import Seen, seen_of, seen_sites
from steering.decision.viewer import Viewer
from steering.fleet.fleet import Fleet
from steering.fleet.liveness import Liveness, report_age_limit_s
from steering.fleet.turnup import Check
from steering.metrics import DECISION_KINDS, SOURCE_CLASSES, Counts
from steering.recent import Recent
from steering.routes.claims import Claims
from steering.routes.reach import Reach
from steering.settings import SteeringSettings
from steering.signing import Signing
from steering.titles.catalogue import Catalogue, Title

EDITIONS_KEPT = 131072
"""And as many older ones at most (``Recent``), some 2 kB each with the token: 0.55 GB where so many titles are asked
for. To make one takes 40 µs, and 40 more for the token."""
_NETWORK_BITS = {4: 24, 6: 48}
"""Viewers of one network are sent to the same boxes."""
_STARTS = ("hls", "dash")
"""Manifests: each is a viewer who is about to begin."""
_SIGNED = frozenset({"playback", "hls", "dash", "redirect"})
"""What hands out URLs; steering answers hold none, and an explanation is for operators."""
_DECIDED = {kind: f"steering_decisions:{kind}" for kind in DECISION_KINDS}
_CHOSEN = {source: f"steering_first_choices:{source}" for source in SOURCE_CLASSES}


@final
@mypyc_attr(acyclic=True)
class Decision:
    """A ranking, and the network the client was found in."""

    __slots__ = ("edition", "ranking", "viewer")

    def __init__(self, edition: Edition, ranking: Ranking, viewer: Viewer) -> None:
        self.edition, self.ranking, self.viewer = edition, ranking, viewer

    @property
    def title(self) -> Title:
        """What was asked for."""
        return self.edition.title

    @property
    def prefix(self) -> str:
        """The longest prefix of the client that some site claims; empty: none."""
        return self.viewer.prefix(0) if self.viewer.lengths else ""


class Decider:
    """Everything a decision needs, in memory."""

    def __init__(self, settings: SteeringSettings, catalogue: Catalogue, counts: Counts, signing: Signing) -> None:
        self.settings = settings
        self.signing = signing
        self._origin_url, self._cdn_url = settings.origin.url.rstrip("/"), settings.origin.cdn_url.rstrip("/")
        self._origin_serves, self._pathways_max = settings.origin.for_players, settings.api.pathways_max
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
        self._claims = self.reach.claims
        self.checks_of: Callable[[str], list[Check]] = lambda _: []
        """The checks of a new appliance that has yet to pass them; ``StandingOrders`` knows them."""
        self.feedback = Feedback(settings.feedback)
        self._holders = self.fleet.holders
        self._racks = Racks(self.sites, self.fleet, settings.fleet)
        self._orders = Orders(self.sites, self._holders.site_numbers)
        self._editions: Recent[str, Edition] = Recent(EDITIONS_KEPT)
        self.log: DecisionLog | None = None
        """Where a sample of the decisions that send viewers goes."""

    def liveness(self, appliance: str) -> Liveness:
        """How an appliance stands now."""
        return self.fleet.liveness(appliance, monotonic_s())

    def standing(self, appliance: str) -> Standing:
        """How a pathway stands; what is no appliance of ours counts as gone."""
        return self.liveness(appliance).standing if appliance in self.site_of else "gone"

    def edition(self, name: str) -> Edition | None:
        """A title as it is published now; None: there is none of this id."""
        titles, edition = self.catalogue.titles, self._editions.get(name)
        if edition is None or edition.seen_in is not titles.mark:
            stored = titles.stored.get(name)
            if stored is None:
                return None
            if edition is None or edition.stored is not stored:
                edition = Edition(Title.read(stored), stored)
                self._editions.put(name, edition)
            edition.seen_in = titles.mark
        return edition

    def decide(
        self,
        edition: Edition,
        client: Address,
        *,
        kind: str,
        explain: bool = False,
        playing: str = "",
        declared: Sequence[str] = (),
    ) -> Decision:
        """Rank the sources of a title for a client now; of one that plays, those that it knows and where it is."""
        covering = self._claims.covering(client.version, client.number)
        if client.length < 128:
            covering = [(length, found) for length, found in covering if length <= client.length]
        claims = [found for _, found in covering]
        viewer = self._viewer(client, [length for length, _ in covering], claims)
        holders = self._holders.of_title(edition.id)
        now_s = monotonic_s()
        ranking = rank(
            edition,
            self._orders.whole(claims, viewer.home)
            if explain
            else self._orders.of(claims, viewer.home).holding(holders),
            self._racks.look_for(holders, now_s, anew=explain),
            viewer,
            now_ns=now_ns(),
            now_s=now_s,
            origin_url=(edition.origin_url or self._origin_url) if self._origin_serves else "",
            cdn_url="" if edition.origin_url else self._cdn_url,
            appliances_max=self._pathways_max,
            explain=explain,
            playing=playing,
            declared=[name for name in declared if name in self.site_of] if declared else (),
            token_of=self._tokens_for(edition, client) if kind in _SIGNED else no_token,
        )
        if self.log is not None and kind in _SIGNED and self.log.samples():
            self.log.add(self._seen(kind, edition, client, viewer, ranking))
        self.counts.add(_DECIDED[kind])
        first = ranking.pathways[0].source_class if ranking.pathways else "none"
        self.counts.add(_CHOSEN[first])
        if (kind in _STARTS or playing) and ranking.pathways and ranking.pathways[0].pathway != playing:
            self.expect(ranking.pathways[0].pathway)
        return Decision(edition, ranking, viewer)

    def expect(self, appliance: str) -> None:
        """A viewer is on its way there."""
        self._racks.expect(appliance, monotonic_s())

    def origin_of(self, title: Title) -> str:
        """Base URL of the origin of ``title``; empty if it has none."""
        return title.origin_url or self._origin_url

    def heard(self, appliance: str) -> None:
        """Its report has come, or something else about it has changed: it is judged anew."""
        self._racks.heard(appliance)

    def take_quality(self, appliance: str, rows: Iterable[PrefixQuality]) -> None:
        """Take up what players told an appliance, by the site that each client network belongs to."""
        if not self.settings.feedback.enabled:
            return
        by_home: dict[str, list[PrefixQuality]] = {}
        for row in rows:
            address = parse_address(row.prefix.partition("/")[0])
            if address is not None:
                claims = [found for _, found in self._claims.covering(address.version, address.number)]
                by_home.setdefault(home_of(claims), []).append(row)
        by_home.pop("", None)
        self.feedback.take(appliance, by_home, monotonic_s())

    def token_path(self, appliance: str, title: Title) -> str:
        """The token for ``title`` that an appliance asks for, good from anywhere, as it stands in the path."""
        report = self.fleet.members[appliance].report
        return self.signing.token_path(report.keys, title.mount) if report is not None else ""

    def _tokens_for(self, edition: Edition, client: Address) -> Callable[[tuple[str, ...]], str]:
        """The tokens of one decision: boxes that hold the same keys share one."""
        made: dict[tuple[str, ...], str] = {}
        network = self.signing.network_of(client.version, client.number, client.length)

        def token_of(keys: tuple[str, ...]) -> str:
            path = made.get(keys)
            if path is None:
                token = self.signing.token(keys, edition.mount, network, edition.token)
                if token is not None:
                    edition.token = token
                path = made[keys] = token.path if token is not None else ""
            return path

        return token_of

    def _viewer(self, client: Address, lengths: Sequence[int], claims: Sequence[Claims]) -> Viewer:
        home = home_of(claims)
        version, number = client.version, client.number
        return Viewer(
            home,
            version=version,
            number=number,
            lengths=lengths,
            reach=claims,
            region=self.sites[home].region if home else "",
            network=hex(number >> (BITS[version] - _NETWORK_BITS[version]))[2:],  # noqa: FURB116 - half of a format
            slowed=self.feedback.of_home(home),
        )

    def _seen(self, kind: str, edition: Edition, client: Address, viewer: Viewer, ranking: Ranking) -> Seen:
        """The decision with all that it was made by, as far as other sites and boxes could change it."""
        holders = self._holders.of_title(edition.id)
        network = Prefix(client.version, _NETWORK_BITS[client.version], int(viewer.network, 16))
        order = self._orders.of(viewer.reach, viewer.home).holding(holders)
        look = self._racks.look_for(holders, monotonic_s())
        made_by = seen_sites(edition, order, look, self._load_of)
        return seen_of(ranking, edition, viewer, made_by, at_ns=now_ns(), kind=kind, network=str(network))

    def _load_of(self, appliance: str) -> Load:
        report = self.fleet.members[appliance].report
        return report.load if report is not None else NO_LOAD
