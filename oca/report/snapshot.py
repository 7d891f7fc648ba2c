"""The picture of the appliance that the report, the admin API and the metrics show. Pure: what it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from oca.common.demand import Taken
from oca.common.messages import Health, Load, StoreUse
from oca.common.quality import Quality
from oca.report.contents import Held
from oca.report.health import explained
from oca.report.readings import DeviceReading, LinkReading
from oca.report.signs import Kind
from oca.store.fill_record import FillFigures, FillRecord
from oca.store.outage import Outage
from oca.store.records import HeldPack


class Worker(Protocol):
    """What is asked of a delivery worker's state."""

    @property
    def pid(self) -> int:
        """Its process."""

    @property
    def ready(self) -> bool:
        """Whether it serves."""

    @property
    def loop(self) -> str:
        """The event loop it runs on."""

    @property
    def restarts(self) -> int:
        """How often it was replaced."""

    @property
    def why(self) -> str:
        """Why it is not ready, or was replaced."""

    @property
    def sick(self) -> Sequence[int]:
        """Devices that do not answer its reads, by number."""


class Tls(Protocol):
    """What the report needs of delivery's TLS."""

    @property
    def ends_at_s(self) -> Mapping[str, float]:
        """When each certificate for viewers ends, in seconds since 1970, by its file."""


class Door(Protocol):
    """What the report needs of whom delivery lets in."""

    @property
    def overload(self) -> str:
        """Why new viewers are turned away for those that are there; empty while they are not."""


class Delivery(Protocol):
    """What the report needs of delivery."""

    @property
    def door(self) -> Door:
        """Whom it turns away."""

    @property
    def tls(self) -> Tls:
        """Its TLS; without certificates where it speaks none."""

    @property
    def urls(self) -> Sequence[str]:
        """Base URLs that viewers reach this box by."""

    def counters(self) -> Mapping[str, int]:
        """Every delivery counter, summed over workers."""

    def workers(self) -> Sequence[Worker]:
        """The workers' states."""

    def quality(self) -> Sequence[Quality]:
        """What players told in the last quarter of an hour, by asset and client prefix."""

    def take_demand(self) -> Taken:
        """Viewers' demand since last taken."""

    def take_failed(self) -> Sequence[tuple[int, str, str]]:
        """Failed reads as (device, asset, why) since last taken."""

    def leave_out(self, out: Mapping[int, bool]) -> None:
        """Ask nothing of these devices, or where the value is True only for what no other has."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The appliance at one instant."""

    at_ns: int
    health: Health
    load: Load
    store: StoreReading
    links: Sequence[LinkReading]
    workers: Sequence[Worker]
    counters: Mapping[str, int]
    kinds: frozenset[Kind] = frozenset()
    """Of the reasons of its health."""

    def explained(self, reason: str) -> Snapshot:
        """The same with ``reason`` before those of its health, whose verdict stays; itself where there is none."""
        if not reason:
            return self
        return replace(self, health=explained(self.health, reason))


@dataclass(frozen=True, slots=True)
class StoreReading:
    """The store at one instant."""

    version: int
    held: Held
    packs: Sequence[HeldPack]
    use: StoreUse
    devices: Sequence[DeviceReading]
    out: Mapping[int, Outage] = field(default_factory=dict)
    quarantined: int = 0
    fill: FillRecord | None = None
    """How the fill agent stands; None while the first device cannot be read."""
    figures: FillFigures = field(default_factory=FillFigures)
    """What fills brought; those read last, while they cannot be read, for counters must not fall."""


@dataclass(slots=True)
class SteeringLink:
    """How it stands with steering; ``why`` is empty while reports are taken, ``connected`` None before the first."""

    url: str
    connected: bool | None = None
    why: str = ""
    since_ns: int = 0
    reports_taken: int = 0
    reports_failed: int = 0
    demand_dropped: int = 0
    """Requests for what is not held that no report tells of, for want of room."""
    known_by: Literal["", "key", "token", "address"] = ""
    sends_viewers: bool | None = None
    """Whether steering sends new viewers here, as it said last; ``judged`` is how it judges this appliance."""
    judged: str = ""
    standing: str = ""
    clock_ahead_s: float | None = None
    """How far our clock is ahead of steering's at least; None: not known."""
