"""A logged decision made again, by other settings or without some boxes. Pure.

The ranking is the service's own. What was not looked at then cannot be seen now.
"""

from __future__ import annotations

from collections.abc import Collection

from oca.common.messages import Load
from oca.common.prefix import parse_prefix
from steering.decision.candidate import Candidate, candidate_of
from steering.decision.candidates import Held, Rack
from steering.decision.edition import Edition
from steering.decision.feedback import Score, Slowed
from steering.decision.order import NearSite, home_of, nearest_sites, order_sites
from steering.decision.ranking import Ranking, rank
from steering.decision.record import BoxSeen, Seen
from steering.decision.viewer import Viewer
from steering.fleet.holders import Holding
from steering.fleet.liveness import Liveness
from steering.recent import Recent
from steering.routes.claims import Claims
from steering.settings import SteeringSettings
from steering.titles.catalogue import AssetSummary, Title

FALLBACK = "fallback"
_KEPT = 4096
_REVISION = "0" * 32
_SAID = Score(0.0, 0)
"""What players said was not recorded, but what came of it."""


class Again:
    """Makes decisions again by ``settings``, as if the boxes ``without`` (appliances, or whole sites) were away."""

    def __init__(self, settings: SteeringSettings, without: Collection[str] = ()) -> None:
        self.sites = {site.id: site for site in settings.site}
        self.away = frozenset(without) | {
            entry.id for site in settings.site if site.id in without for entry in site.appliance
        }
        self.settings = settings
        self._nearest: dict[str, tuple[NearSite, ...]] = {}
        self._editions: Recent[tuple[str, int, tuple[str, ...], int], Edition] = Recent(_KEPT)
        self._holdings: Recent[tuple[str, int], Holding] = Recent(_KEPT)

    def rank(self, seen: Seen) -> Ranking:
        """The decision, made again."""
        shapes = [tuple(item for item in shape if item[1] in self.sites) for shape in seen.shapes]
        claims = [Claims.of_shape(shape) for shape in shapes]
        home = home_of(claims)
        nearest = self._nearest.get(home)
        if nearest is None:
            nearest = nearest_sites(self.sites.values(), self.sites.get(home), per_class_max=len(self.sites))
            self._nearest[home] = nearest
        edition = self._edition(seen)
        there = {site.site: [box for box in site.boxes if box.appliance not in self.away] for site in seen.sites}

        def look(site: str) -> tuple[Rack, Held]:
            boxes = there.get(site, [])
            rack = Rack([self._candidate(box) for box in boxes])
            return rack, [self._holding(seen.title, box.held) for box in boxes]

        prefix = parse_prefix(seen.network)
        network = f"{prefix.number:x}" if prefix is not None else ""
        order = order_sites(self.sites, claims, nearest)
        origin = self.settings.origin
        return rank(
            edition,
            [tier for tier in order if any(ranked.site.id in there for ranked in tier)],
            look,
            Viewer(home, reach=claims, region=seen.region, network=network, slowed=self._slowed(seen)),
            now_ns=seen.at_ns,
            origin_url=FALLBACK if origin.for_players and (seen.own_origin or origin.url) else "",
            cdn_url=FALLBACK if origin.cdn_url and not seen.own_origin else "",
            appliances_max=self.settings.api.pathways_max,
        )

    def _slowed(self, seen: Seen) -> dict[str, Slowed]:
        told = seen.slowed if self.settings.feedback.enabled else {}
        return {name: Slowed(weight, _SAID, 0.0) for name, weight in told.items()}

    def _candidate(self, box: BoxSeen) -> Candidate:
        liveness, expected = Liveness(box.standing, box.weight, ""), box.expected_bytes_per_s
        return candidate_of(box.appliance, liveness, _load_of(box), self.settings.fleet, expected_bytes_per_s=expected)

    def _edition(self, seen: Seen) -> Edition:
        """A title of as many assets: which ones was not recorded, and no order depends on it."""
        key = (seen.title, seen.assets, tuple(seen.regions), seen.released_at_ns)
        edition = self._editions.get(key)
        if edition is None:
            names = [_asset(seen.title, number) for number in range(seen.assets)]
            edition = Edition(
                Title(
                    title=seen.title,
                    name="",
                    mount="",
                    origin_url="",
                    regions=seen.regions,
                    released_at_ns=seen.released_at_ns,
                    published_at_ns=0,
                    duration_s=0.0,
                    poster="",
                    independent_segments=True,
                    assets=[AssetSummary(name, "video", _REVISION, 0, 0, "", 0, 0, 0) for name in names],
                    variants=[],
                    tracks=[],
                )
            )
            self._editions.put(key, edition)
        return edition

    def _holding(self, title: str, held: int) -> Holding | None:
        if not held:
            return None
        holding = self._holdings.get((title, held))
        if holding is None:
            holding = Holding.of({_asset(title, number): _REVISION for number in range(held)})
            self._holdings.put((title, held), holding)
        return holding


def _load_of(box: BoxSeen) -> Load:
    return Load(
        connections=0,
        sent_bytes_per_s=box.sent_bytes_per_s,
        link_bytes_per_s=box.link_bytes_per_s,
        cpu_ratio=box.cpu_ratio,
    )


def _asset(title: str, number: int) -> str:
    return f"{title}/{number}"
