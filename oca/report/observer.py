"""Keeps the picture of the appliance that the report, the admin API and the metrics show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import psutil

from oca.common.clock import monotonic_s, now_ns, now_s
from oca.common.errors import OcaError
from oca.common.log import get_logger
from oca.common.messages import Load
from oca.network.addressing import NO_ADDRESS, Link, links_of
from oca.report.health import Judge
from oca.report.health_settings import HealthTable
from oca.report.inventory import Inventory
from oca.report.probe import Probe
from oca.report.rates import Window, bound_below, buckets
from oca.report.readings import LinkReading, Readings, WorkerReading
from oca.report.snapshot import Delivery, Snapshot, StoreReading, Worker

RATE_SPAN_S = 10.0
"""Rates and error ratios cover this long: short enough to follow, long enough that one bad second is no verdict."""
MINUTE_S = 60.0
"""CPU, first bytes, disks and links are looked at over so long: a box in use is not ill."""
RESTARTS_SPAN_S = 600.0
DISK_READS_MIN = 20
"""Fewer reads than this in a minute say nothing of how fast a device is."""
PACKETS_MIN = 1000
PROBE_TIMEOUT_S = 0.5
HANG_S = 5.0
"""A device or kernel that has not answered for this long is said to hang."""
_log = get_logger("observer")


class Observer:
    """Observes when told to; ``snapshot`` is what was seen last."""

    def __init__(
        self,
        delivery: Delivery,
        inventory: Inventory,
        limits: HealthTable,
        *,
        hosts: Sequence[str],
        read_links: Callable[[], Sequence[Link]],
        suspect: Callable[[int, str], None] = lambda _device, _asset: None,
    ) -> None:
        """Take the first look at the store, which may block.

        Args:
            delivery: The supervisor of the workers.
            inventory: The store.
            limits: By which the appliance judges itself.
            hosts: IP addresses that delivery listens on.
            read_links: Asks the kernel for its links; blocks.
            suspect: Told the device and asset of each read of a viewer that failed.
        """
        self._delivery = delivery
        self._inventory = inventory
        self._hosts = hosts
        self._suspect = suspect
        self._store_probe = Probe(inventory.read, name="store-probe")
        self._link_probe = Probe(read_links, name="link-probe")
        self.judge = Judge(limits)
        self._clock_ahead_s: float | None = None
        self._window = Window(RATE_SPAN_S)
        self._minute = Window(MINUTE_S)
        self._restarts = Window(RESTARTS_SPAN_S)
        self._link_counters: dict[str, float] = {}
        self._links: list[LinkReading] = []
        self._store = inventory.read()
        self._out: Mapping[int, bool] = {}
        self._tell_out()
        self.snapshot = self._see()
        self.judge = Judge(limits)  # that no worker was ready before there were any holds no verdict up

    async def observe(self, clock_ahead_s: float | None = None) -> bool:
        """Look anew; true when the store's contents have changed.

        Args:
            clock_ahead_s: How far the clock is ahead of steering's; None: not known.
        """
        self._clock_ahead_s = clock_ahead_s
        before = self._store.version
        await self._look_at_store()
        await self.look_at_links()
        self.snapshot = self._see()
        return self._store.version != before

    async def _look_at_store(self) -> None:
        self._inventory.note_sick(self._sick())
        for device, asset, why in self._delivery.take_failed():
            self._inventory.blame(device, asset, f"{asset}: {why}")
            self._suspect(device, asset)
        answer = await self._store_probe.answer(PROBE_TIMEOUT_S)
        if isinstance(answer, StoreReading):
            self._store = answer
            self._tell_out()
        elif answer > HANG_S:
            self._mark_devices(f"has not answered for {answer:.0f} s; see the kernel log")

    def _tell_out(self) -> None:
        out = {number: outage.readable for number, outage in self._store.out.items()}
        if out != self._out:
            self._out = out
            self._delivery.leave_out(out)

    def _sick(self) -> list[int]:
        return sorted({number for worker in self._delivery.workers() for number in worker.sick})

    def _mark_devices(self, fault: str) -> None:
        devices = [replace(device, fault=device.fault or fault) for device in self._store.devices]
        self._store = replace(self._store, devices=devices)

    async def look_at_links(self) -> None:
        """Ask the kernel for its links, as ``observe`` does; the first time takes a while, to load what that needs."""
        try:
            answer = await self._link_probe.answer(PROBE_TIMEOUT_S)
        except OcaError as error:
            _log.warning("links cannot be read", error=error.message, remedy=error.remedy)
            return
        if isinstance(answer, float):
            return
        carrying, missing = links_of(self._hosts, answer)
        self._link_counters = {
            f"{link.name}:{what}": count
            for link in carrying
            for what, count in (("sent", link.sent_bytes), ("packets", link.packets), ("errors", link.errors))
        }
        self._links = [
            LinkReading(link.name, up=not link.fault, why=link.fault, bytes_per_s=link.speed_bytes_per_s)
            for link in carrying
        ]
        self._links += [LinkReading(host, up=False, why=NO_ADDRESS) for host in missing]

    def _see(self) -> Snapshot:
        counters = self._delivery.counters()
        workers = self._delivery.workers()
        at_s = monotonic_s()
        responses = sum(count for key, count in counters.items() if key.startswith("delivery_responses:"))
        errors = sum(counters.get(key, 0) for key in _OWN_FAULTS)
        self._window.observe(at_s, {**counters, "responses": responses, "errors": errors})
        first_bytes = {key: counters[key] for key in buckets(counters)}
        self._minute.observe(at_s, {**_cpu_times(), **_disk_counters(), **self._link_counters, **first_bytes})
        self._restarts.observe(at_s, {"restarts": sum(worker.restarts for worker in workers)})
        self._links = [self._measured_link(link) for link in self._links]
        judged = self.judge.judge(self._readings(workers, first_bytes), at_s)
        load = Load(
            connections=counters.get("delivery_connections", 0),
            sent_bytes_per_s=self._window.rate_per_s("delivery_sent_bytes"),
            link_bytes_per_s=sum(link.bytes_per_s for link in self._links if link.up),
            cpu_ratio=self._cpu_ratio(),
        )
        return Snapshot(
            at_ns=now_ns(),
            health=judged.health,
            load=load,
            store=self._store,
            links=self._links,
            workers=workers,
            counters=counters,
            kinds=judged.kinds,
        )

    def _readings(self, workers: Sequence[Worker], first_bytes: Iterable[str]) -> Readings:
        memory = psutil.virtual_memory()
        sick, wall_s = self._sick(), now_s()
        rises = {key: self._minute.rise(key) for key in first_bytes}
        enough = sum(rises.values()) >= self.judge.limits.error_requests_min
        return Readings(
            workers=[WorkerReading(number, one.ready, one.why) for number, one in enumerate(workers)],
            devices=[
                replace(one, answers=number not in sick, read_s=self._read_s(one.disk))
                for number, one in enumerate(self._store.devices)
            ],
            links=self._links,
            requests=round(self._window.rise("responses")),
            errors=round(self._window.rise("errors")),
            cpu_ratio=self._cpu_ratio() if self._minute.is_covered else 0.0,
            memory_available_ratio=memory.available / memory.total,
            first_byte_p99_s=bound_below(rises, 0.99) if enough else None,
            restarts=round(self._restarts.rise("restarts")),
            clock_ahead_s=self._clock_ahead_s,
            overload=self._delivery.door.overload,
            certificates_left_s={file: ends_at_s - wall_s for file, ends_at_s in self._delivery.tls.ends_at_s.items()},
        )

    def _measured_link(self, link: LinkReading) -> LinkReading:
        minute, name = self._minute, link.name
        known = link.bytes_per_s and minute.is_covered
        use = minute.rate_per_s(f"{name}:sent") / link.bytes_per_s if known else None
        packets = minute.rise(f"{name}:packets")
        return replace(
            link,
            use_ratio=use,
            error_ratio=minute.rise(f"{name}:errors") / packets if packets >= PACKETS_MIN else None,
        )

    def _read_s(self, disk: str) -> float | None:
        reads = self._minute.rise(f"{disk}:reads")
        return self._minute.rise(f"{disk}:read_ms") / reads / 1000 if disk and reads >= DISK_READS_MIN else None

    def _cpu_ratio(self) -> float:
        return 1 - self._minute.ratio("cpu:idle", "cpu:all") if self._minute.rise("cpu:all") else 0.0


def _cpu_times() -> dict[str, float]:
    times = psutil.cpu_times()
    guests = times.guest + times.guest_nice  # counted in user and nice already
    return {"cpu:all": sum(times) - guests, "cpu:idle": times.idle + times.iowait}


def _disk_counters() -> dict[str, float]:
    """Reads of each block device and the milliseconds that they took; none where the kernel shows none."""
    counters: dict[str, float] = {}
    for name, disk in (psutil.disk_io_counters(perdisk=True) or {}).items():
        counters[f"{name}:reads"], counters[f"{name}:read_ms"] = disk.read_count, disk.read_time
    return counters


_OWN_FAULTS = ("delivery_sends_cut:device", "delivery_sends_cut:pack", "delivery_index_errors")
