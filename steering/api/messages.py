"""What players, services and operators say to steering and are told: messages alone. Appliances' are oca.common's."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from oca.common.messages import FillProgress, Message, Problem, Serving, Verdict
from steering.fleet.turnup import Check

BATCH_MAX = 500
Codec = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9]{2,8}(\.[A-Za-z0-9.-]{1,40})?\Z")]
"""RFC 6381: a codec with its profile, as ``avc1.640028``, or without, as ``avc1``."""
VideoRange = Literal["SDR", "PQ", "HLG"]
Protocol = Literal["hls", "dash"]


class Device(Message, frozen=True):
    """What a player can show; what is empty or 0 does not limit it.

    Attributes:
        codecs: Those it decodes: with a profile that one, without one all of the family.
        width_max: Pixels.
        height_max: Pixels.
        frame_rate_max: Frames per second.
        video_ranges: Dynamic ranges (RFC 8216bis, VIDEO-RANGE).
        protocols: Manifests it reads.
    """

    codecs: Annotated[tuple[Codec, ...], Meta(max_length=64)] = ()
    width_max: Annotated[int, Meta(ge=0, le=65_535)] = 0
    height_max: Annotated[int, Meta(ge=0, le=65_535)] = 0
    frame_rate_max: Annotated[float, Meta(ge=0, le=1000)] = 0.0
    video_ranges: Annotated[tuple[VideoRange, ...], Meta(max_length=3)] = ()
    protocols: Annotated[tuple[Protocol, ...], Meta(max_length=2)] = ()


class PlaybackRequest(Message, frozen=True):
    """``POST /v1/playback``.

    Attributes:
        title: Its id.
        client: Address of the viewer, where not the caller is meant; of an EDNS Client Subnet with its length, as
            ``198.51.100.0/24``. Believed of trusted proxies and of who shows an operator's token.
        device: What the player can show.
    """

    title: Annotated[str, Meta(max_length=63)]
    client: Annotated[str, Meta(max_length=64)] = ""
    device: Device = Device()


class PathwayAnswer(Struct, frozen=True):
    """One source, as told to whoever asks."""

    pathway: str
    url: str
    source_class: str = field(name="class")
    site: str
    distance_km: float | None
    why: str


class RejectedAnswer(Struct, frozen=True):
    """A source that lost."""

    pathway: str
    why: str


class PlaybackAnswer(Struct, frozen=True):
    """Everything a player or a service needs, and why. ``assets``: asset → its first object's URLs, best first."""

    title: str
    name: str
    client: str
    client_from: str
    prefix: str
    site: str
    hls_url: str
    dash_url: str
    pathways: list[PathwayAnswer]
    rejected: list[RejectedAnswer]
    assets: dict[str, list[str]]


class BatchRequest(Message, frozen=True):
    """``POST /v1/playbacks``: many at once, for services."""

    requests: Annotated[list[PlaybackRequest], Meta(min_length=1, max_length=BATCH_MAX)]


class BatchItem(Struct, frozen=True, omit_defaults=True):
    """What became of one request: ``answer``, or the ``problem`` that it would have been refused with."""

    answer: PlaybackAnswer | None = None
    problem: Problem | None = None


class BatchAnswer(Struct, frozen=True):
    """One item for each request, in their order."""

    items: list[BatchItem]


class Explanation(Struct, frozen=True):
    """``/v1/explain``: the decision and what led to it; of ``rejected_count`` that lost, as many as were asked for."""

    title: str
    client: str
    client_from: str
    prefix: str
    site: str
    region: str
    barred: str
    pathways: list[PathwayAnswer]
    rejected: list[RejectedAnswer]
    rejected_count: int = 0


class SteeringAnswer(Struct, frozen=True):
    """The body of HLS and DASH content steering (RFC 8216bis §7.3, ETSI TS 103 998).

    Without ``TTL`` hls.js polls without pause, and it needs ``VERSION`` as an integer.
    """

    version: int = field(name="VERSION")
    ttl: int = field(name="TTL")
    pathway_priority: list[str] = field(name="PATHWAY-PRIORITY")


class AssetView(Struct, frozen=True):
    """An asset; ``holders`` are those of the title's named holders that hold this revision, of ``holders_count``."""

    asset: str
    kind: str
    bytes: int
    bitrate_bits_per_s: int
    holders: list[str]
    holders_count: int


class TitleView(Struct, frozen=True):
    """A title; ``holders_count`` appliances that are up hold some of it, and the first 20 of them are named.

    ``copies`` of them hold even the asset that the fewest hold; ``live``: as many as ``plan.live_copies`` asks for.
    """

    title: str
    name: str
    synopsis: str
    duration_s: float
    bytes: int
    regions: list[str]
    released_at_ns: int
    poster: str
    holders_count: int
    copies: int
    live: bool
    assets: list[AssetView]


class SiteView(Struct, frozen=True):
    """A site, with the first of its prefixes."""

    site: str
    name: str
    site_class: str = field(name="class")
    latitude: float
    longitude: float
    prefixes: list[str]


class ApplianceView(Struct, frozen=True):
    """An appliance; ``report_age_s`` is null before its first report, ``checks`` are those of one that is turning up.

    ``weight``: the share of its viewers that it is sent.
    """

    appliance: str
    site: str
    up: bool
    standing: str
    why: str
    verdict: Verdict | None = None
    reasons: list[str] = field(default_factory=list)
    serving: Serving | None = None
    report_age_s: float | None = None
    delivery_urls: list[str] = field(default_factory=list)
    used_bytes: int = 0
    capacity_bytes: int = 0
    assets: int = 0
    connections: int = 0
    sent_bytes_per_s: float = 0.0
    link_bytes_per_s: float = 0.0
    fill: FillProgress | None = None
    weight: float = 0.0
    checks: list[Check] = field(default_factory=list)


class TitlesView(Struct, frozen=True):
    """The body of ``/v1/titles``; of ``/v1/shelf`` some, of so many that match, and the id to ask on with."""

    titles: list[TitleView]
    matching: int = 0
    after: str = ""


class FleetView(Struct, frozen=True):
    """The body of ``/v1/fleet``."""

    sites: list[SiteView]
    appliances: list[ApplianceView]


class HealthView(Struct, frozen=True):
    """The body of ``/health``: whether this service can answer, and what is amiss."""

    verdict: Verdict
    reasons: list[str]
    version: str
    titles: int
    appliances: int
    appliances_up: int
    instances: list[str] = field(default_factory=list)
