"""What the admin API says of the appliance: the messages of ``/v1/status`` and ``/v1/assets``. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol

from oca.admin.glance import FillStatus, RoutesStatus, fill_status
from oca.admin.tls import TlsState, TlsStatus, tls_status
from oca.common.messages import Health, Load, Message, Serving, StoreUse
from oca.common.units import format_duration, format_instant
from oca.report.snapshot import Snapshot, SteeringLink
from oca.store.records import HeldPack


class WorkerStatus(Message, frozen=True):
    """One delivery worker; ``loop`` names the event loop it runs on."""

    pid: int
    ready: bool
    loop: str
    restarts: int
    why: str


class DeviceStatus(Message, frozen=True):
    """One device of the store."""

    path: str
    fault: str
    free_bytes: int


class LinkStatus(Message, frozen=True):
    """One link that carries a delivery address."""

    name: str
    up: bool
    why: str
    bytes_per_s: float


class SteeringStatus(Message, frozen=True):
    """How it stands with steering."""

    url: str
    state: Literal["alone", "starting", "connected", "away"]
    why: str
    since_ns: int
    known_by: Literal["", "key", "token", "address"] = ""
    """By what steering knows this box: the key that 'oca enrol' made, steering.token_file, or its address alone."""
    sends_viewers: bool | None = None
    """Whether steering sends new viewers here; null: it has not said."""
    judged: str = ""
    """How steering judges this box, and why."""


class Renewal(Message, frozen=True):
    """The last reload or upgrade; ``waiting`` are settings that only an upgrade or a restart takes up from the file."""

    kind: Literal["", "reload", "upgrade"] = ""
    at_ns: int = 0
    done: bool = True
    said: str = ""
    waiting: tuple[str, ...] = ()


class PlayersStatus(Message, frozen=True):
    """What passes between players and the box: paces, CMCD since the start, and what CMSD has them told (0: nothing).

    ``congestion`` names the congestion controls of the listening sockets.
    """

    pacing: str
    paced_connections: int
    congestion: list[str]
    quality_reports: int
    quality_starved: int
    advised_kbits_per_s: int


class Status(Message, frozen=True):
    """The appliance at a glance; times are nanoseconds since 1970, ``drained_at_ns`` 0 while no operator drained it.

    ``drained_until_ns`` is 0 where it stays so until an operator takes it back; ``lately`` are the daemon's last lines
    of what was out of order, the oldest first. ``fill`` is None while the first device cannot be read, ``routes`` where
    none are heard.
    """

    appliance: str
    site: str
    version: str
    started_at_ns: int
    at_ns: int
    serving: Serving
    drain_left_s: float
    drained_at_ns: int
    health: Health
    load: Load
    store: StoreUse
    delivery_urls: list[str]
    workers: list[WorkerStatus]
    devices: list[DeviceStatus]
    links: list[LinkStatus]
    steering: SteeringStatus
    players: PlayersStatus
    renewal: Renewal = Renewal()
    drained_until_ns: int = 0
    lately: tuple[str, ...] = ()
    tls: TlsStatus | None = None
    fill: FillStatus | None = None
    routes: RoutesStatus | None = None


class ServingChange(Message, frozen=True):
    """The answer to drain and undrain; ``follows`` tells a person what comes of it, empty while it serves."""

    serving: Serving
    changed: bool
    follows: str


class AssetStatus(Message, frozen=True):
    """One asset that is held whole."""

    asset: str
    revision: str
    bytes: int
    objects: int
    device: str
    committed_at_ns: int


class AssetPage(Message, frozen=True):
    """Assets by id; ``next`` continues after the last one, empty at the end."""

    assets: list[AssetStatus]
    next: str


class Drained(Protocol):
    """What is asked of an operator's drain."""

    @property
    def at_ns(self) -> int:
        """When it began; 0 while there is none."""

    @property
    def until_ns(self) -> int:
        """When it ends by itself; 0 where it does not."""

    def left_s(self) -> float:
        """Seconds until viewers left no longer count."""


def status_of(
    snapshot: Snapshot,
    *,
    appliance: str,
    site: str,
    version: str,
    started_at_ns: int,
    serving: Serving,
    drain: Drained,
    urls: Iterable[str],
    link: SteeringLink | None,
    renewal: Renewal,
    pacing: str,
    lately: Sequence[str],
    tls: TlsState | None,
    routes: RoutesStatus | None,
) -> Status:
    """The appliance at a glance, from what was seen last and what the daemon knows of itself."""
    return Status(
        appliance=appliance,
        site=site,
        version=version,
        started_at_ns=started_at_ns,
        at_ns=snapshot.at_ns,
        serving=serving,
        drain_left_s=drain.left_s(),
        drained_at_ns=drain.at_ns,
        drained_until_ns=drain.until_ns,
        health=snapshot.health,
        load=snapshot.load,
        store=snapshot.store.use,
        delivery_urls=list(urls),
        workers=worker_statuses(snapshot),
        devices=device_statuses(snapshot),
        links=link_statuses(snapshot),
        steering=steering_status(link),
        renewal=renewal,
        players=players_status(snapshot.counters, pacing=pacing),
        lately=tuple(lately),
        tls=tls_status(tls),
        fill=fill_status(snapshot.store.fill, snapshot.at_ns),
        routes=routes,
    )


def worker_statuses(snapshot: Snapshot) -> list[WorkerStatus]:
    """The workers of a snapshot."""
    return [
        WorkerStatus(pid=one.pid, ready=one.ready, loop=one.loop, restarts=one.restarts, why=one.why)
        for one in snapshot.workers
    ]


def device_statuses(snapshot: Snapshot) -> list[DeviceStatus]:
    """The devices of a snapshot."""
    return [DeviceStatus(path=one.path, fault=one.fault, free_bytes=one.free_bytes) for one in snapshot.store.devices]


def link_statuses(snapshot: Snapshot) -> list[LinkStatus]:
    """The links of a snapshot."""
    return [LinkStatus(name=one.name, up=one.up, why=one.why, bytes_per_s=one.bytes_per_s) for one in snapshot.links]


def players_status(counters: Mapping[str, int], *, pacing: str) -> PlayersStatus:
    """What passes between players and the box, from delivery's counters; ``pacing`` is its mode."""
    at = "delivery_listeners:"
    return PlayersStatus(
        pacing=pacing,
        paced_connections=counters.get("delivery_paced_connections", 0),
        congestion=[key.removeprefix(at) for key, count in counters.items() if key.startswith(at) and count],
        quality_reports=counters.get("delivery_quality_reports", 0),
        quality_starved=counters.get("delivery_quality_starved", 0),
        advised_kbits_per_s=counters.get("delivery_advised_bytes_per_second", 0),
    )


def steering_status(link: SteeringLink | None) -> SteeringStatus:
    """How it stands with steering; None where the appliance stands alone."""
    if link is None:
        return SteeringStatus(url="", state="alone", why="[steering] url is empty", since_ns=0)
    state: Literal["starting", "connected", "away"] = "starting"
    if link.connected is not None:
        state = "connected" if link.connected else "away"
    return SteeringStatus(
        url=link.url,
        state=state,
        why=link.why,
        since_ns=link.since_ns,
        known_by=link.known_by,
        sends_viewers=link.sends_viewers,
        judged=link.judged,
    )


def serving_change(status: Status, *, changed: bool) -> ServingChange:
    """The answer to drain and undrain, by how the appliance is afterwards."""
    follows = ""
    if status.serving != "serving":
        by_itself = f"; it serves again at {format_instant(status.drained_until_ns)}" if status.drained_until_ns else ""
        follows = f"{_follows(status)}{by_itself}; 'oca undrain' ends it"
    return ServingChange(serving=status.serving, changed=changed, follows=follows)


def _follows(status: Status) -> str:
    if status.steering.state == "alone":
        return "nothing sends viewers here by steering: stop them at your load balancer"
    if status.serving == "drained":
        return "steering sends nobody here"
    away = "steering is away and learns of it when it answers again; then " if status.steering.state == "away" else ""
    ends_sooner = 0 < status.drained_until_ns - status.drained_at_ns <= (status.drain_left_s + 1) * 1e9
    most = "" if ends_sooner else f", within {format_duration(status.drain_left_s)} at most"
    return f"{away}steering sends nobody new here, who plays is moved or finishes{most}"


def asset_page(packs: Sequence[HeldPack], devices: Sequence[str], *, after: str, limit: int) -> AssetPage:
    """Up to ``limit`` assets whose ids come after ``after``; ``packs`` are sorted by id."""
    rest = [pack for pack in packs if pack.asset > after]
    shown = [
        AssetStatus(
            asset=pack.asset,
            revision=pack.revision,
            bytes=pack.bytes,
            objects=pack.objects,
            device=devices[pack.device],
            committed_at_ns=pack.committed_at_ns,
        )
        for pack in rest[:limit]
    ]
    return AssetPage(assets=shown, next=shown[-1].asset if len(rest) > limit else "")
