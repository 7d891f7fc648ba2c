"""An appliance as the report sees it, made up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from oca.common.demand import Taken
from oca.common.messages import Health, Load, StoreUse
from oca.common.quality import Quality
from oca.report.contents import Held
from oca.report.readings import DeviceReading, LinkReading
from oca.report.snapshot import Snapshot, StoreReading
from oca.store.records import HeldPack
from tests.waiting import WAIT_S

ANSWERS = (
    "oca.common.owner.ANSWER_S",
    "oca.delivery.pulls.ERROR_S",
    "oca.report.inventory.ANSWER_S",
    "oca.report.kept_demand.ANSWER_S",
    "oca.report.observer.PROBE_TIMEOUT_S",
    "oca.report.past.ANSWER_S",
    "oca.report.reporter.KEEP_S_MAX",
    "oca.signing.ANSWER_S",
    "fill.state.ANSWER_S",
    "steering.fleet.standing_orders.COUNTING_S_MAX",
    "steering.plan.intake.ANSWER_S_MAX",
)
"""How long our programs wait for what answers in an instant where nothing hangs."""


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    """What answers late, for want of a processor, is no device that hangs: tests of such set their own limits."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ANSWERS:
            module, _, limit = name.rpartition(".")
            if module in sys.modules:  # else no test of this run uses it
                patch.setattr(sys.modules[module], limit, WAIT_S)
        yield


@dataclass
class FakeWorker:
    pid: int = 10
    ready: bool = True
    loop: str = "uvloop"
    restarts: int = 0
    why: str = ""
    sick: list[int] = field(default_factory=list)


@dataclass
class FakeTls:
    """Certificates for viewers."""

    ends_at_s: dict[str, float] = field(default_factory=dict)


@dataclass
class FakeDoor:
    """Turns nobody away."""

    overload: str = ""


@dataclass
class FakeDelivery:
    """Stands in for the supervisor."""

    urls: tuple[str, ...] = ("http://127.0.0.1:8080",)
    counts: dict[str, int] = field(default_factory=dict)
    states: list[FakeWorker] = field(default_factory=lambda: [FakeWorker()])
    demand: dict[str, tuple[int, int]] = field(default_factory=dict)
    failed: list[tuple[int, str, str]] = field(default_factory=list)
    out: dict[int, bool] = field(default_factory=dict)
    tls: FakeTls = field(default_factory=FakeTls)
    told: list[Quality] = field(default_factory=list)
    door: FakeDoor = field(default_factory=FakeDoor)

    def counters(self) -> Mapping[str, int]:
        return dict(self.counts)

    def workers(self) -> list[FakeWorker]:
        return self.states

    def take_failed(self) -> list[tuple[int, str, str]]:
        taken, self.failed = self.failed, []
        return taken

    def leave_out(self, out: Mapping[int, bool]) -> None:
        self.out = dict(out)

    def quality(self) -> list[Quality]:
        return list(self.told)

    def take_demand(self) -> Taken:
        taken, self.demand = self.demand, {}
        return Taken(taken)


@pytest.fixture
def delivery() -> FakeDelivery:
    return FakeDelivery()


@pytest.fixture
def make_snapshot() -> Callable[..., Snapshot]:
    def make(*packs: HeldPack, **changes: Any) -> Snapshot:
        store = StoreReading(
            version=1,
            held=Held((pack.asset, pack.revision) for pack in packs),
            packs=packs,
            use=StoreUse(capacity_bytes=1000, used_bytes=100, assets=len(packs), objects=7),
            devices=(DeviceReading("/d0", "", 2**30), DeviceReading("/d1", "gone", 0)),
        )
        plain = Snapshot(
            at_ns=1_000_000_000,
            health=Health(verdict="ok", reasons=[]),
            load=Load(connections=3, sent_bytes_per_s=125_000, link_bytes_per_s=0, cpu_ratio=0.5),
            store=store,
            links=(LinkReading("eth0", up=True, why="", bytes_per_s=1.25e9), LinkReading("eth1", up=False, why="dark")),
            workers=(FakeWorker(), FakeWorker(pid=11, ready=False, restarts=2, why="ended by SIGKILL")),
            counters={},
        )
        return replace(plain, **changes)

    return make
