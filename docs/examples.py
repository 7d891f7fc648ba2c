"""What commands print, shown in the pages: made-up facts, through the very functions that print them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import structs

from oca.admin.glance import FillStatus, RoutesStatus
from oca.admin.screen import status_lines
from oca.admin.status import (
    DeviceStatus,
    LinkStatus,
    PlayersStatus,
    Status,
    SteeringStatus,
    WorkerStatus,
    serving_change,
)
from oca.admin.top import HotAsset, HotPrefix, Top, top_lines
from oca.common.messages import Health, Load, StoreUse
from oca.network.addressing import Link
from oca.network.bird_output import Session
from oca.turnup import judge
from oca.turnup.finding import Finding, report, report_lines
from oca.turnup.judge import DeviceFacts
from oca.turnup.kernel import KERNEL, MODULES

_PLACE = re.compile(r"(<!-- Printed by docs/generate\.py: ([a-z -]+) -->\n```text\n).*?(```\n)", re.DOTALL)

NOW_NS = 1_795_680_000_000_000_000
"""2026-11-26 08:00 UTC."""
_DAY_NS = 86_400 * 10**9


def with_examples(page: str) -> str:
    """A page whose examples are as the commands print them now.

    Raises:
        KeyError: The page asks for an example that is none.
    """

    def printed(place: re.Match[str]) -> str:
        lines = "".join(f"{line}\n" for line in EXAMPLES[place[2]]())
        return f"{place[1]}{lines}{place[3]}"

    return _PLACE.sub(printed, page)


def _check() -> Iterable[str]:
    return report_lines(
        report([Finding(name="settings", state="pass", why="/etc/oca/appliance.toml is good"), *_found()])
    )


def _found() -> Iterator[Finding]:
    device = DeviceFacts(
        path="/var/lib/oca/nvme0",
        file_system="xfs",
        block="/dev/nvme0n1p1",
        start_bytes=2**20,
        free_bytes=7 * 2**40,
        read_bytes_per_s=3.1e9,
        write_bytes_per_s=1.4e9,
        healthy=True,
    )
    link = Link(
        index=2,
        name="ens1f0",
        loopback=False,
        enabled=True,
        state="UP",
        speed_bytes_per_s=3.125e9,
        sent_bytes=0,
        addresses=("192.0.2.10/24",),
    )
    kernel: dict[str, str | None] = {setting.name: setting.value for setting in KERNEL}
    yield Finding(name="daemon", state="pass", why="serving, health ok")
    yield judge.judge_clock(synchronised=True)
    yield judge.judge_descriptors(1_048_576, 20_000)
    yield from judge.judge_kernel(kernel | {"net.ipv4.tcp_mtu_probing": "0"}, dict.fromkeys(MODULES, True))
    yield from judge.judge_device(device, "oca")
    yield judge.judge_link(link, 1500)
    yield from judge.judge_devices_together([device], [link])
    yield from judge.judge_sessions([Session("isp4", True, "Established", "08:12:44", "64500", ())])
    yield from judge.judge_routes(812, [])
    yield judge.judge_throughput(4.4e9, 16, [link])
    yield judge.judge_certificate("/etc/oca/tls/fullchain.pem", 9 * 86400.0)
    yield Finding(
        name="steering",
        state="fail",
        why="https://steering.example.net answers 403: unknown appliance",
        mend="add fra1-a to its [[site]] in steering.toml, then enrol this box with 'oca enrol --token'",
    )


def example_status(**changes: Any) -> Status:
    """A box on a usual morning."""
    gigabit, tib = 125_000_000.0, 2**40
    status = Status(
        appliance="fra1-a",
        site="fra1",
        version="0.1.0",
        started_at_ns=NOW_NS - 12 * _DAY_NS,
        at_ns=NOW_NS,
        serving="serving",
        drain_left_s=0,
        drained_at_ns=0,
        health=Health(verdict="ok", reasons=[]),
        load=Load(connections=8_412, sent_bytes_per_s=17.2 * gigabit, link_bytes_per_s=25 * gigabit, cpu_ratio=0.31),
        store=StoreUse(capacity_bytes=14 * tib, used_bytes=13 * tib, assets=2_913, objects=1_204_511),
        delivery_urls=["https://fra1-a.cdn.example.net"],
        workers=[WorkerStatus(pid=700 + core, ready=True, loop="uvloop", restarts=0, why="") for core in range(16)],
        devices=[DeviceStatus(path=f"/var/lib/oca/nvme{at}", fault="", free_bytes=tib // 2) for at in range(2)],
        links=[LinkStatus(name="ens1f0", up=True, why="", bytes_per_s=25 * gigabit)],
        steering=SteeringStatus(
            known_by="key",
            url="https://steering.example.net",
            state="connected",
            why="",
            since_ns=NOW_NS - 5 * _DAY_NS,
        ),
        players=PlayersStatus(
            pacing="off",
            paced_connections=0,
            congestion=["bbr"],
            quality_reports=51_220,
            quality_starved=37,
            advised_kbits_per_s=0,
        ),
        fill=FillStatus(
            state="done",
            updated_at_ns=NOW_NS - 5 * 3600 * 10**9,
            bytes_total=412 * 2**30,
            bytes_done=412 * 2**30,
            assets_total=96,
            assets_done=96,
            assets_evicted=88,
        ),
        routes=RoutesStatus(routes=1_204_118, kept=0, sessions=2, sessions_established=2),
        lately=("2026-11-24T03:12:09Z warning reporter: steering is away why=timed out",),
    )
    return structs.replace(status, **changes)


def _drain() -> Iterable[str]:
    until_ns = NOW_NS + 7200 * 10**9
    draining = example_status(serving="draining", drain_left_s=7200.0, drained_at_ns=NOW_NS, drained_until_ns=until_ns)
    answer = serving_change(draining, changed=True)
    yield f"{answer.serving}: {answer.follows}"


def _top() -> Iterable[str]:
    gigabit = 125_000_000.0
    rates = [
        ("northern-lights/video-2160p", 391.0, 4.1),
        ("northern-lights/video-1080p", 604.0, 3.2),
        ("harbour/video-1080p", 288.0, 1.5),
    ]
    prefixes = [("198.51.100.0/24", 1_204, 2.6), ("203.0.113.0/24", 877, 1.9), ("2001:db8:40::/48", 612, 1.4)]
    return top_lines(
        Top(
            status=example_status(),
            assets=[
                HotAsset(asset=name, requests_per_s=each, bytes_per_s=rate * gigabit) for name, each, rate in rates
            ],
            prefixes=[HotPrefix(prefix=name, connections=n, bytes_per_s=rate * gigabit) for name, n, rate in prefixes],
        )
    )


EXAMPLES: dict[str, Callable[[], Iterable[str]]] = {
    "oca check": _check,
    "oca status": lambda: status_lines(example_status()),
    "oca top": _top,
    "oca drain": _drain,
}
