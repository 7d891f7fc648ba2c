"""What commands print, shown in the pages: made-up facts, through the very functions that print them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from oca.network.addressing import Link
from oca.network.bird_output import Session
from oca.turnup import judge
from oca.turnup.finding import Finding, report, report_lines
from oca.turnup.judge import DeviceFacts
from oca.turnup.kernel import KERNEL, MODULES

_PLACE = re.compile(r"(<!-- Printed by docs/generate\.py: ([a-z -]+) -->\n```\n).*?(```\n)", re.DOTALL)


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


EXAMPLES: dict[str, Callable[[], Iterable[str]]] = {"oca check": _check}
