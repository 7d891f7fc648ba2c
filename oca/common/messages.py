"""What appliances, fill agents and steering say to each other over HTTP, as JSON.

Each is checked at the door by msgspec: unknown fields are ignored (a newer peer may say more), missing or wrong ones
are refused with the field's path. Times are integer nanoseconds since 1970 UTC, sizes bytes, rates bytes per second.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from oca.common.jwk import KEYS_MAX, KeyId, SigningPolicy

Name = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z",
        extra={"form": "lower-case letters, digits and inner hyphens, 63 at most"},
    ),
]
"""An appliance, site or title: lower-case letters, digits and inner hyphens; 63 at most (a DNS label)."""
AssetId = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9._-]{0,62}(/[a-z0-9][a-z0-9._-]{0,62}){1,3}\Z")]
"""``title/rendition``, as in ``harbour/video-1080p``."""
UrlPath = Annotated[
    str, Meta(pattern=r"\A(/[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]*)+\Z", max_length=480)
]
"""The path of an object's URL, unescaped and free of dot segments; 480 bytes at most (an LMDB key holds 511)."""
HexDigest = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Nanoseconds = Annotated[int, Meta(ge=0, le=2**63 - 1)]
BaseUrl = Annotated[
    str,
    Meta(
        pattern=r"\Ahttps?://[A-Za-z0-9.:\[\]_-]{1,253}(/[A-Za-z0-9._~/-]{0,200})?\Z",
        extra={"form": "http:// or https://, a host, its port if need be, and a path if need be"},
    ),
]
"""Scheme, host and port, and a path prefix if need be; no trailing slash is needed."""
TEXT_CHARACTERS_MAX = 400
Text = Annotated[str, Meta(max_length=TEXT_CHARACTERS_MAX)]

Verdict = Literal["ok", "degraded", "failed"]
Serving = Literal["serving", "draining", "drained"]
AssetState = Literal["queued", "waiting", "fetching", "verifying", "committed", "failed"]
"""Of an asset in a fill; ``waiting`` for a peer to have it, ``verifying`` what an earlier run left of it."""
SourceKind = Literal["peer", "tier", "origin"]

ASSETS_MAX = 1_000_000
OBJECTS_MAX = 100_000
WANTED_TOLD_MAX = 4096
REPORT_BYTES_MAX = 64 * 2**20
QUALITY_PREFIXES_MAX = 128


class Message(Struct, frozen=True, kw_only=True, gc=False):
    """Base of all messages."""


# ---- appliance → steering: POST /v1/appliances/{id}/report ----


class Health(Message, frozen=True):
    """The appliance's judgement of itself, with why; ``weight``: the share of its viewers that it should be sent."""

    verdict: Verdict
    reasons: Annotated[list[Text], Meta(max_length=50)]
    weight: Annotated[float, Meta(ge=0, le=1)] = 1.0


class StoreUse(Message, frozen=True):
    """Space for assets, summed over working devices."""

    capacity_bytes: Count
    used_bytes: Count
    assets: Count
    objects: Count


class Load(Message, frozen=True):
    """What the box does now; ``link_bytes_per_s`` is 0 where no link speed is known."""

    connections: Count
    sent_bytes_per_s: Annotated[float, Meta(ge=0)]
    link_bytes_per_s: Annotated[float, Meta(ge=0)]
    cpu_ratio: Annotated[float, Meta(ge=0, le=1)]


class Misses(Message, frozen=True):
    """Requests since the daemon's start that the store could not serve, by class."""

    content: Count
    health: Count
    authorisation: Count


class HeldAsset(Message, frozen=True, array_like=True):
    """One asset that the store holds whole."""

    asset: AssetId
    revision: HexDigest


class Contents(Message, frozen=True):
    """What the store holds. ``assets`` is sent only when steering does not know this ``digest`` yet."""

    digest: HexDigest
    assets: Annotated[list[HeldAsset], Meta(max_length=ASSETS_MAX)] | None = None


class AssetDemand(Message, frozen=True, array_like=True):
    """Viewers' demand for one asset in one batch; fill traffic does not count.

    ``sessions``: those not met for the asset earlier in the hour, estimated; they may be told after their requests.
    """

    asset: AssetId
    requests: Count
    bytes: Count
    sessions: Count = 0


class WantedObject(Message, frozen=True, array_like=True):
    """An object that viewers asked for and were not sent as held: answered 404, redirected, fetched; or turned away."""

    path: UrlPath
    missed: Count
    redirected: Count
    fetched: Count
    sizes: tuple[Count, Count, Count] | None = None
    """Bytes sent of what was fetched; of the 404s and redirects such as named a part's length, and these lengths."""
    turned_away: tuple[Count, Count, Count] | None = None
    """How many were; of these such as named a part's length, and these lengths."""


class DemandBatch(Message, frozen=True):
    """Demand between two instants; steering folds each (boot, sequence) in once; sequences count up by one."""

    epoch: HexDigest
    sequence: Count
    started_at_ns: Nanoseconds
    ended_at_ns: Nanoseconds
    items: Annotated[list[AssetDemand], Meta(max_length=ASSETS_MAX)]
    wanted: Annotated[list[WantedObject], Meta(max_length=WANTED_TOLD_MAX)] = []


class PrefixQuality(Message, frozen=True, array_like=True):
    """What players of one client network told in the last quarter of an hour (CMCD); no viewer is in it.

    Attributes:
        prefix: A /24 of IPv4 or a /48 of IPv6.
        requests: That told anything.
        starved: Of those, told of a buffer run empty since the one before.
        throughput_kbits_per_s: As measured by the players, in the mean; 0 where none told.
    """

    prefix: Annotated[str, Meta(max_length=49)]
    requests: Count
    starved: Count
    throughput_kbits_per_s: Count = 0


class Report(Message, frozen=True):
    """Everything steering knows of an appliance, sent every few seconds."""

    appliance: Name
    site: Name
    version: Annotated[str, Meta(max_length=40)]
    boot_id: HexDigest
    sequence: Count
    sent_at_ns: Nanoseconds
    serving: Serving
    delivery_urls: Annotated[list[BaseUrl], Meta(min_length=1, max_length=8)]
    health: Health
    store: StoreUse
    load: Load
    contents: Contents
    demand: DemandBatch | None = None
    misses: Misses | None = None
    policy: Annotated[str, Meta(pattern=r"\A([0-9a-f]{32})?\Z")] = ""
    """Revision of the policy for signed URLs that its workers go by; empty: none."""
    keys: Annotated[list[KeyId], Meta(max_length=KEYS_MAX)] = []
    """Ids of that policy's keys."""
    routes: HexDigest | None = None
    """Digest of the table of routes that it has told steering of; None: it hears none by BGP."""
    quality: Annotated[list[PrefixQuality], Meta(max_length=QUALITY_PREFIXES_MAX)] | None = None
    """What players told, by client network, once a minute; None: not this time."""


class ReportAnswer(Message, frozen=True):
    """What steering wants next. ``demand_sequence`` acknowledges the batch that the report carried.

    ``policy`` is there where the appliance should go by another than it reported.
    """

    contents_wanted: bool
    demand_sequence: Count | None = None
    policy: SigningPolicy | None = None
    routes_wanted: bool = False
    """Whether steering holds another table of routes than was reported, and wants it whole."""
    at_ns: Nanoseconds = 0
    """Steering's clock as it answers; 0: it does not tell."""
    sends_viewers: bool | None = None
    """Whether steering sends new viewers there; None: it does not tell."""
    why: Text = ""
    """How it judges the appliance, and why."""
    standing: Annotated[str, Meta(max_length=40)] = ""
    """The same in one word: a ``standing.Standing``, or one of a later release; empty: it does not tell."""


# ---- steering → fill agent: GET /v1/appliances/{id}/fill-plan, GET /v1/appliances/{id}/assets/{asset} ----


class PlannedAsset(Message, frozen=True, gc=False):
    """One asset that the appliance should hold tonight; the plan lists them best first.

    ``popularity`` is expected viewer bytes per day ÷ size. ``release_at_ns`` is when viewers may first ask for it, 0
    where that is past. ``urgent``: its release is so near that it is fetched outside the fill window too.
    """

    asset: AssetId
    revision: HexDigest
    bytes: Count
    popularity: Annotated[float, Meta(ge=0)]
    why: Text
    release_at_ns: Nanoseconds = 0
    urgent: bool = False


class FillPlan(Message, frozen=True):
    """The assets an appliance should hold, in order, within its capacity."""

    plan: HexDigest
    appliance: Name
    made_at_ns: Nanoseconds
    capacity_bytes: Count
    assets: Annotated[list[PlannedAsset], Meta(max_length=ASSETS_MAX)]


class ObjectDescription(Message, frozen=True):
    """One URL of an asset."""

    path: UrlPath
    bytes: Count
    digest: HexDigest
    media_type: Annotated[str, Meta(pattern=r"\A[a-z]+/[a-zA-Z0-9.+-]+\Z", max_length=80)]


class FillSource(Message, frozen=True):
    """Where an asset can be had. An object's URL is ``url`` + ``token_path`` + its path."""

    kind: SourceKind
    url: BaseUrl
    appliance: Name | None = None
    token_path: Annotated[str, Meta(pattern=r"\A(/[A-Za-z0-9._~-]+/[A-Za-z0-9._-]+)?\Z", max_length=4200)] = ""
    """The token that grants the asset, as it stands in the path; empty where none is needed. It is a secret."""


class AssetManifest(Message, frozen=True):
    """An asset's objects, in the order they are laid into its pack, and its sources, best first.

    ``master``: this appliance is to bring the asset to its cluster; the others wait for those that are.
    """

    asset: AssetId
    revision: HexDigest
    bytes: Count
    modified_at_ns: Nanoseconds
    objects: Annotated[list[ObjectDescription], Meta(min_length=1, max_length=OBJECTS_MAX)]
    sources: Annotated[list[FillSource], Meta(max_length=50)]
    master: bool = True


# ---- fill agent → steering: POST /v1/appliances/{id}/fill-progress ----


class AssetProgress(Message, frozen=True):
    """One asset on its way."""

    asset: AssetId
    state: AssetState
    bytes: Count
    bytes_done: Count
    source: Text = ""
    reason: Text = ""


class FillProgress(Message, frozen=True):
    """A fill as it goes; ``bytes_*`` count what had to be fetched, resumed bytes included in ``bytes_done``."""

    appliance: Name
    plan: HexDigest
    state: Literal["running", "done", "incomplete"]
    started_at_ns: Nanoseconds
    updated_at_ns: Nanoseconds
    bytes_total: Count
    bytes_done: Count
    assets_total: Count
    assets_done: Count
    assets_failed: Count
    assets_evicted: Count
    current: Annotated[list[AssetProgress], Meta(max_length=100)]
    bytes_evicted: Count = 0
    bytes_by_source: dict[SourceKind, Count] = {}
    """What came over the network in this fill, refetched bytes included."""
    reason: Text = ""


# ---- any HTTP API of ours → its caller, on refusal (RFC 9457) ----


class Problem(Message, frozen=True, omit_defaults=True):
    """Problem details, sent as ``application/problem+json``."""

    title: str
    status: int
    detail: str = ""
    field: str = ""
    remedy: str = ""
    type: str = "about:blank"
