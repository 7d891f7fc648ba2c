import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from oca.common.box import StoreTable
from oca.common.errors import OcaError
from oca.common.messages import Health
from oca.network.addressing import NO_ADDRESS, Link
from oca.report import observer as observing
from oca.report.health_settings import HealthTable
from oca.report.inventory import Inventory
from oca.report.observer import Observer

LOOPBACK = Link(1, "lo", True, True, "UNKNOWN", 0, 0, ("127.0.0.1/8",))
DARK = Link(2, "eth0", False, True, "DOWN", 1.25e9, 0, ("192.0.2.1/24",))


@pytest.fixture
def inventory(tmp_path: Path) -> Iterator[Inventory]:
    made = Inventory(StoreTable(devices=(str(tmp_path),)))
    yield made
    made.close()


def observe(delivery: Any, inventory: Any, *hosts: str, links: Any = lambda: [LOOPBACK, DARK]) -> Observer:
    at_once = HealthTable(hold_s=0, release_s=0, fault_release_s=0)
    return Observer(delivery, inventory, at_once, hosts=hosts or ("127.0.0.11",), read_links=links)


async def test_observer_sees_healthy_appliance(delivery: Any, inventory: Inventory) -> None:
    observer = observe(delivery, inventory)
    assert not await observer.observe()
    assert [link.name for link in observer.snapshot.links] == ["lo"]
    assert observer.snapshot.health.verdict == "ok"
    assert 0 <= observer.snapshot.load.cpu_ratio <= 1


async def test_observer_names_link_that_is_down(delivery: Any, inventory: Inventory) -> None:
    observer = observe(delivery, inventory, "127.0.0.11", "192.0.2.1", "198.51.100.7")
    await observer.observe()
    reasons = observer.snapshot.health.reasons
    assert any(reason.startswith("link eth0: no carrier") for reason in reasons)
    assert f"link 198.51.100.7: {NO_ADDRESS}" in reasons
    assert observer.snapshot.load.link_bytes_per_s == 0


async def test_observer_counts_own_faults_as_errors(delivery: Any, inventory: Inventory) -> None:
    delivery.counts = {"delivery_responses:200": 0, "delivery_sends_cut:device": 0}
    observer = observe(delivery, inventory)
    delivery.counts = {"delivery_responses:200": 1000, "delivery_sends_cut:device": 20, "delivery_connections": 4}
    await observer.observe()
    assert observer.snapshot.health.verdict == "degraded"
    assert "20 of the last 1000 requests failed on our side, limit 1.00%" in observer.snapshot.health.reasons
    assert observer.snapshot.load.connections == 4


async def test_observer_tells_that_device_does_not_answer_the_reads_of_one_worker(
    delivery: Any, inventory: Inventory, tmp_path: Path
) -> None:
    observer = observe(delivery, inventory)
    worker = delivery.states[0]
    delivery.states = [worker, replace(worker, sick=[0])]
    await observer.observe()
    assert observer.snapshot.health == Health("degraded", [f"device {tmp_path} does not answer reads"], 0.5)
    delivery.states = [worker, worker]
    await observer.observe()
    assert observer.snapshot.health == Health("ok", [])


async def test_observer_keeps_serving_view_when_store_hangs(
    delivery: Any, inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer = observe(delivery, inventory)
    gate = threading.Event()
    monkeypatch.setattr(observing, "PROBE_TIMEOUT_S", 0.01)
    monkeypatch.setattr(observing, "HANG_S", 0.0)
    monkeypatch.setattr(observer._store_probe, "_ask", lambda: gate.wait(10))
    await observer.observe()
    assert observer.snapshot.health.verdict == "failed"
    assert any("has not answered for" in reason for reason in observer.snapshot.health.reasons)
    gate.set()


async def test_observer_finds_box_degraded_when_one_index_of_two_is_damaged(
    delivery: Any, tmp_path: Path, damage_packs_table: Callable[[Path], None]
) -> None:
    devices = [tmp_path / "nvme0", tmp_path / "nvme1"]
    for device in devices:
        device.mkdir()
    inventory = Inventory(StoreTable(devices=tuple(map(str, devices))))
    damage_packs_table(devices[1])
    observer = observe(delivery, inventory)
    await observer.observe()
    health = observer.snapshot.health
    assert health.verdict == "degraded"
    assert [reason.split(":")[0] for reason in health.reasons] == [f"device {devices[1]}"]
    assert "oca store rebuild" in health.reasons[0]
    inventory.close()


async def test_observer_lives_with_kernel_that_tells_nothing(delivery: Any, inventory: Inventory) -> None:
    def refuse() -> list[Link]:
        raise OcaError("netlink: denied", remedy="allow it")

    observer = observe(delivery, inventory, links=refuse)
    await observer.observe()
    assert observer.snapshot.links == []
    assert observer.snapshot.health.verdict != "failed"


async def test_observer_measures_first_bytes_links_disks_and_restarts(
    delivery: Any, inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a minute, which the test lets pass at once."""
    now_s, disks, links = [1000.0], {"sda": SimpleNamespace(read_count=0, read_time=0)}, [LOOPBACK]
    monkeypatch.setattr(observing, "monotonic_s", lambda: now_s[0])
    monkeypatch.setattr(psutil, "disk_io_counters", lambda perdisk: disks)
    monkeypatch.setattr(observing.Observer, "_cpu_ratio", lambda _: 0.1)
    slow = "delivery_first_byte_seconds:2.5"
    delivery.counts = {slow: 0, "delivery_first_byte_seconds:0.5": 0}
    observer = observe(delivery, inventory, links=lambda: links)
    observer._store = replace(observer._store, devices=[replace(observer._store.devices[0], disk="sda")])
    monkeypatch.setattr(observer._store_probe, "_ask", lambda: observer._store)
    links[:] = [replace(LOOPBACK, speed_bytes_per_s=1000.0)]
    await observer.observe()
    now_s[0] += 60
    disks["sda"] = SimpleNamespace(read_count=100, read_time=30_000)
    delivery.counts = {slow: 2, "delivery_first_byte_seconds:0.5": 98}
    delivery.states = [replace(delivery.states[0], restarts=5)]
    await observer.observe()
    assert observer.snapshot.kinds == {"first-byte", "device-slow", "worker-restarts"}
    now_s[0] += 60
    links[:] = [replace(links[0], sent_bytes=120_000, packets=2000, errors=20)]
    await observer.observe()
    assert observer.snapshot.kinds == {"worker-restarts", "link-full", "link-errors"}
    assert observer.snapshot.links[0].use_ratio == 2.0
    assert observer.snapshot.health.weight == 0.5


async def test_observer_tells_of_clock_and_certificates(delivery: Any, inventory: Inventory) -> None:
    delivery.tls.ends_at_s["/c.pem"] = 0.0
    observer = observe(delivery, inventory)
    await observer.observe(clock_ahead_s=-3600.0)
    assert observer.snapshot.kinds == {"clock", "certificate"}
    assert observer.snapshot.health.reasons[0].startswith("clock is 3600.0 s behind steering's, limit 5 s")
