"""A decision as it is logged: what was decided, and all that it was decided by, so that it can be made again. Pure.

One JSON object a line. The first line of a file says by which sites; tokens, URLs and whole addresses are not recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from oca.common.errors import SteeringError
from oca.common.messages import Load
from oca.common.standing import Standing
from steering.decision.candidate import Candidate
from steering.decision.candidates import Look, pairs
from steering.decision.edition import Edition
from steering.decision.order import Tiers
from steering.decision.ranking import Ranking
from steering.decision.viewer import Viewer
from steering.fleet.holders import Holding
from steering.routes.claims import Shape
from steering.settings import Site, SiteClass

VERSION = 1
LINE_BYTES_MAX = 2**20
SITES_MAX = 64
BOXES_MAX = 256
"""Recorded of one decision at most; the farthest are left out."""


class SitePlace(Struct, frozen=True, array_like=True):
    """A site as the decisions of a file knew it."""

    site: str
    site_class: SiteClass
    latitude: float
    longitude: float


class Begun(Struct, frozen=True, tag="begun", tag_field="record"):
    """The first line of a file."""

    version: int
    sites: list[SitePlace]


class BoxSeen(Struct, frozen=True, array_like=True):
    """An appliance as a decision saw it.

    Attributes:
        weight: The share of its viewers that its health leaves it.
        held: Assets of the title that it holds as they are published; 0 where none of them can be played.
        expected_bytes_per_s: What viewers were to take who were on their way there.
    """

    appliance: str
    standing: Standing
    weight: float
    held: int
    sent_bytes_per_s: float
    link_bytes_per_s: float
    cpu_ratio: float
    expected_bytes_per_s: float


class SiteSeen(Struct, frozen=True, array_like=True):
    """A site that was looked at: one that claims the client, or one that serves anyone and holds some of the title."""

    site: str
    boxes: list[BoxSeen]


class Seen(Struct, frozen=True, tag="decision", tag_field="record"):
    """One decision.

    Attributes:
        at_ns: When, by the wall clock.
        kind: What asked for it.
        network: The client's /24 or /48.
        home: The site that the client belongs to; empty: none.
        region: Its region, for rights.
        title: Its id, with ``assets`` published and rights in ``regions``, or everywhere, from ``released_at_ns``.
        shapes: For each of the client's prefixes, longest first, the sites that claim it with their ranks.
        own_origin: Whether the title has an origin of its own.
        sites: Those looked at, in their order then.
        slowed: Appliances on the way to which such viewers starve, with the share that this leaves them.
        chosen: Pathways, best first.
        barred: Why nobody might serve it, if so.
    """

    at_ns: int
    kind: str
    network: Annotated[str, Meta(max_length=49)]
    home: str
    region: str
    title: str
    assets: int
    regions: list[str]
    released_at_ns: int
    shapes: list[Shape]
    own_origin: bool
    sites: list[SiteSeen]
    slowed: dict[str, float]
    chosen: list[str]
    barred: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Begun | Seen).decode


def begun(sites: Iterable[Site]) -> Begun:
    """The first line of a file written by these sites."""
    return Begun(VERSION, [SitePlace(site.id, site.class_, site.latitude, site.longitude) for site in sites])


def seen_sites(edition: Edition, order: Tiers, look: Look, load_of: Callable[[str], Load]) -> list[SiteSeen]:
    """The sites of ``order``, nearest first, with their boxes as ``look`` shows them."""
    sites: list[SiteSeen] = []
    boxes = 0
    for ranked in islice(chain.from_iterable(order), SITES_MAX):
        found = [_box(edition, box, holding, load_of(box.appliance)) for box, holding in pairs(*look(ranked.site.id))]
        boxes += len(found)
        if boxes > BOXES_MAX:
            break
        sites.append(SiteSeen(ranked.site.id, found))
    return sites


def _box(edition: Edition, candidate: Candidate, holding: Holding | None, load: Load) -> BoxSeen:
    return BoxSeen(
        candidate.appliance,
        candidate.liveness.standing,
        candidate.liveness.weight,
        len(edition.held(holding)),
        load.sent_bytes_per_s,
        load.link_bytes_per_s,
        load.cpu_ratio,
        candidate.expected_bytes_per_s,
    )


def seen_of(
    ranking: Ranking, edition: Edition, viewer: Viewer, sites: list[SiteSeen], *, at_ns: int, kind: str, network: str
) -> Seen:
    """A decision as it is logged, made by these sites."""
    return Seen(
        at_ns=at_ns,
        kind=kind,
        network=network,
        home=viewer.home,
        region=viewer.region,
        title=edition.id,
        assets=len(edition.names),
        regions=list(edition.regions),
        released_at_ns=edition.released_at_ns,
        shapes=[claims.shape for claims in viewer.reach],
        own_origin=bool(edition.origin_url),
        sites=sites,
        slowed={name: slowed.weight for name, slowed in viewer.slowed.items()},
        chosen=[pathway.pathway for pathway in ranking.pathways],
        barred=ranking.barred,
    )


def line_of(record: Begun | Seen) -> bytes:
    """A record with its line's end."""
    return _encode(record) + b"\n"


def read_records(lines: Iterable[bytes], *, name: str) -> Iterator[Begun | Seen | None]:
    """The records of one file; None for a line that is none, as the last may be when a machine was cut off.

    Raises:
        SteeringError: The file is no decision log, or of another version.
    """
    for number, line in enumerate(lines):
        try:
            record = _decode(line)
        except (msgspec.DecodeError, RecursionError):
            record = None
        if not number and (not isinstance(record, Begun) or record.version != VERSION):
            what = f"of version {record.version}" if isinstance(record, Begun) else "not a decision log"
            raise SteeringError(
                f"{name}: {what}; version {VERSION} is read", remedy="name files of [decision_log] folder"
            )
        yield record
