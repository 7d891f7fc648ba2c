"""Keeps the picture of the appliance that the report, the admin API and the metrics show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import psutil

from oca.common.clock import monotonic_s, now_ns
from oca.common.errors import OcaError
from oca.common.log import get_logger
from oca.common.messages import Load
from oca.network.addressing import NO_ADDRESS, Link, links_of
from oca.report.health import LinkReading, Readings, WorkerReading, judge
from oca.report.inventory import Inventory
from oca.report.probe import Probe
from oca.report.rates import Window
from oca.report.snapshot import Delivery, Snapshot, StoreReading

RATE_SPAN_S = 10.0
"""Rates and error ratios cover this long: short enough to follow, long enough that one bad second is no verdict."""
CPU_SPAN_S = 60.0
"""Before a verdict rests on it, the CPU must have been busy for so long: a box in use is not ill."""
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
        *,
        hosts: Sequence[str],
        read_links: Callable[[], Sequence[Link]],
        suspect: Callable[[int, str], None] = lambda _device, _asset: None,
    ) -> None:
        """Take the first look at the store, which may block.

        Args:
            delivery: The supervisor of the workers.
            inventory: The store.
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
        self._window = Window(RATE_SPAN_S)
        self._cpu = Window(CPU_SPAN_S)
        self._links: list[LinkReading] = []
        self._store = inventory.read()
        self._out: Mapping[int, bool] = {}
        self._tell_out()
        self.snapshot = self._see()

    async def observe(self) -> bool:
        """Look anew; true when the store's contents have changed."""
        before = self._store.version
        await self._look_at_store()
        await self._look_at_links()
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

    async def _look_at_links(self) -> None:
        try:
            answer = await self._link_probe.answer(PROBE_TIMEOUT_S)
        except OcaError as error:
            _log.warning("links cannot be read", error=error.message, remedy=error.remedy)
            return
        if isinstance(answer, float):
            return
        carrying, missing = links_of(self._hosts, answer)
        self._links = [
            LinkReading(link.name, up=not link.fault, why=link.fault, bytes_per_s=link.speed_bytes_per_s)
            for link in carrying
        ]
        self._links += [LinkReading(host, up=False, why=NO_ADDRESS) for host in missing]

    def _see(self) -> Snapshot:
        counters = self._delivery.counters()
        workers = self._delivery.workers()
        memory = psutil.virtual_memory()
        responses = sum(count for key, count in counters.items() if key.startswith("delivery_responses:"))
        errors = sum(counters.get(key, 0) for key in _OWN_FAULTS)
        self._window.observe(monotonic_s(), {**counters, "responses": responses, "errors": errors})
        cpu_ratio = self._cpu_ratio()
        sick = self._sick()
        health = judge(
            Readings(
                workers=[WorkerReading(number, one.ready, one.why) for number, one in enumerate(workers)],
                devices=[replace(one, answers=number not in sick) for number, one in enumerate(self._store.devices)],
                links=self._links,
                requests=round(self._window.rise("responses")),
                errors=round(self._window.rise("errors")),
                cpu_ratio=cpu_ratio if self._cpu.is_covered else 0.0,
                memory_available_ratio=memory.available / memory.total,
            )
        )
        load = Load(
            connections=counters.get("delivery_connections", 0),
            sent_bytes_per_s=self._window.rate_per_s("delivery_sent_bytes"),
            link_bytes_per_s=sum(link.bytes_per_s for link in self._links if link.up),
            cpu_ratio=cpu_ratio,
        )
        return Snapshot(
            at_ns=now_ns(),
            health=health,
            load=load,
            store=self._store,
            links=self._links,
            workers=workers,
            counters=counters,
        )

    def _cpu_ratio(self) -> float:
        times = psutil.cpu_times()
        guests = times.guest + times.guest_nice  # counted in user and nice already
        self._cpu.observe(monotonic_s(), {"all": sum(times) - guests, "idle": times.idle + times.iowait})
        return 1 - self._cpu.ratio("idle", "all") if self._cpu.rise("all") else 0.0


_OWN_FAULTS = ("delivery_sends_cut:device", "delivery_sends_cut:pack", "delivery_index_errors")
