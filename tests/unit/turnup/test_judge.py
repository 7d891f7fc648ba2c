from __future__ import annotations

from typing import Any

import pytest

from oca.network.addressing import Link
from oca.network.bird_output import Session
from oca.turnup import judge
from oca.turnup.finding import Finding
from oca.turnup.judge import DeviceFacts
from oca.turnup.kernel import KERNEL, MODULES

GOOD = {
    "path": "/d0",
    "file_system": "xfs",
    "block": "/dev/nvme0n1p1",
    "start_bytes": 2**20,
    "free_bytes": 2**40,
    "read_bytes_per_s": 2.5e9,
    "write_bytes_per_s": 1.25e9,
    "healthy": True,
}


def make_link(**changes: Any) -> Link:
    given: dict[str, Any] = {
        "index": 2,
        "name": "eth0",
        "loopback": False,
        "enabled": True,
        "state": "UP",
        "speed_bytes_per_s": 1.25e9,
        "sent_bytes": 0,
        "addresses": ("192.0.2.1/24",),
    }
    return Link(**(given | changes))


def found_in(device: dict[str, Any]) -> list[Finding]:
    return list(judge.judge_device(DeviceFacts(**device), "oca"))


def test_judge_passes_good_device() -> None:
    speed, health = found_in(GOOD)
    assert (speed.state, health.state) == ("pass", "pass")
    assert speed.why == "/dev/nvme0n1p1 with xfs, 1.0 TiB free, reads 20.0 Gb/s, writes 10.0 Gb/s"


@pytest.mark.parametrize(
    ("changes", "state", "why", "mend"),
    [
        ({"fault": "/d0 is no folder", "remedy": "mount it"}, "fail", "/d0 is no folder", "mount it"),
        ({"writable": False}, "fail", "the user oca may not write there", "chown -R oca: /d0"),
        ({"on_root": True}, "warn", "on the file system of /", "mount a device of its own at /d0"),
        ({"file_system": "btrfs"}, "warn", "btrfs was never tried", "mkfs.xfs /dev/nvme0n1p1"),
        ({"file_system": "", "block": ""}, "warn", "an unknown file system", "mkfs.xfs DEVICE"),
        ({"start_bytes": 512}, "warn", "begins at byte 512", "parted -a optimal"),
        ({"healthy": False}, "fail", "the device is failing", "smartctl -a /dev/nvme0n1p1"),
        ({"healthy": None, "health_why": "smartctl is not installed"}, "warn", "not known", "smartmontools"),
        ({"healthy": None, "health_why": "no block device is below it"}, "warn", "no block device", ""),
    ],
)
def test_judge_finds_what_is_wrong_with_device(changes: dict[str, Any], state: str, why: str, mend: str) -> None:
    wrong = [one for one in found_in(GOOD | changes) if one.state != "pass"]
    (found,) = [one for one in wrong if why in one.why]
    assert found.state == state
    assert mend in found.mend
    assert bool(found.mend) == bool(mend)


def test_judge_leaves_out_speed_that_was_not_measured() -> None:
    found = found_in(GOOD | {"read_bytes_per_s": 0, "write_bytes_per_s": 0, "block": ""})
    assert found[0].why == "device with xfs, 1.0 TiB free"


@pytest.mark.parametrize(
    ("read", "speed", "states"), [(2e9, 1e9, ["pass"]), (5e8, 1e9, ["warn"]), (0, 1e9, []), (1, 0, [])]
)
def test_judge_compares_devices_with_links(read: float, speed: float, states: list[str]) -> None:
    devices = [DeviceFacts(path="/d0", read_bytes_per_s=read / 2)] * 2
    found = list(judge.judge_devices_together(devices, [make_link(speed_bytes_per_s=speed)]))
    assert [one.state for one in found] == states


@pytest.mark.parametrize(
    ("changes", "mtu", "state", "why", "mend"),
    [
        ({}, 1500, "pass", "10.0 Gb/s, MTU 1500", ""),
        ({}, 9000, "pass", "10.0 Gb/s, MTU 9000", ""),
        ({}, 1280, "warn", "MTU 1280: more packets for the same bytes", "ip link set eth0 mtu 1500"),
        ({"speed_bytes_per_s": 0.0}, 1500, "warn", "tells no speed (virtual?), MTU 1500", "ethtool eth0"),
        ({"loopback": True}, 65536, "warn", "loopback: no viewer reaches it", "set [delivery] listen to an address"),
        ({"enabled": False}, 1500, "fail", "switched off", "bring it up with: ip link set eth0 up"),
        ({"state": "DOWN"}, 1500, "fail", "no carrier (state down)", "check the cable, the optics and the switch"),
    ],
)
def test_judge_weighs_link(changes: dict[str, Any], mtu: int, state: str, why: str, mend: str) -> None:
    found = judge.judge_link(make_link(**changes), mtu)
    assert (found.state, found.why) == (state, why)
    assert found.mend.startswith(mend)


def test_judge_names_address_that_no_link_has() -> None:
    found = judge.judge_missing_address("192.0.2.9")
    assert (found.name, found.state) == ("address 192.0.2.9", "fail")


def make_session(**changes: Any) -> Session:
    given: dict[str, Any] = {
        "name": "isp",
        "established": True,
        "state": "Established",
        "since": "08:00",
        "neighbour_as": "64500",
        "changes": (),
    }
    return Session(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "state", "why", "mend"),
    [
        ({}, "pass", "established with AS64500", ""),
        ({"established": False, "state": "Active"}, "fail", "Active with AS64500", "birdc show protocols all isp"),
    ],
)
def test_judge_weighs_bgp_session(changes: dict[str, Any], state: str, why: str, mend: str) -> None:
    (found,) = judge.judge_sessions([make_session(**changes)])
    assert (found.name, found.state, found.why) == ("BGP isp", state, why)
    assert found.mend.startswith(mend)


def test_judge_wants_session_where_routes_are_to_be_heard() -> None:
    (found,) = judge.judge_sessions([])
    assert (found.state, found.why) == ("fail", "BIRD has no BGP session")


def test_judge_counts_prefixes_and_passes_on_audit() -> None:
    assert [one.why for one in judge.judge_routes(812, [])] == ["812 heard"]
    none, absurd = judge.judge_routes(0, [("covers everything", 1)])
    assert (none.state, none.why, absurd.state, absurd.why) == ("warn", "none is heard", "warn", "1: covers everything")


def test_judge_compares_kernel_with_what_is_wanted() -> None:
    found: dict[str, str | None] = {setting.name: setting.value for setting in KERNEL}
    loaded = dict.fromkeys(MODULES, True)
    assert {one.state for one in judge.judge_kernel(found, loaded)} == {"pass"}
    found["net.core.default_qdisc"] = "fq_codel"
    found["net.ipv4.tcp_mtu_probing"] = None
    del loaded["tls"]
    wrong = {one.name: one for one in judge.judge_kernel(found, loaded) if one.state != "pass"}
    assert set(wrong) == {"net.core.default_qdisc", "net.ipv4.tcp_mtu_probing", "module tls"}
    assert wrong["net.core.default_qdisc"].mend.startswith("sysctl -w net.core.default_qdisc='fq'")
    assert wrong["module tls"].mend == "modprobe tls"


@pytest.mark.parametrize(("limit", "state"), [(24_096, "pass"), (24_095, "warn")])
def test_judge_compares_file_limit_with_connections(limit: int, state: str) -> None:
    assert judge.judge_descriptors(limit, 20_000).state == state


@pytest.mark.parametrize(("kept", "state"), [(True, "pass"), (False, "fail"), (None, "warn")])
def test_judge_wants_clock_that_is_kept(kept: bool | None, state: str) -> None:
    assert judge.judge_clock(kept).state == state


@pytest.mark.parametrize(("days", "state"), [(30, "pass"), (13, "warn"), (-1, "fail")])
def test_judge_wants_certificate_renewed_in_time(days: int, state: str) -> None:
    found = judge.judge_certificate("/c.pem", days * 86400.0)
    assert found.state == state
    assert bool(found.mend) == (state != "pass")


@pytest.mark.parametrize(
    ("rate", "cores", "speed", "state"), [(1e9, 2, 1.25e9, "pass"), (1e9, 1, 1.25e9, "warn"), (1e9, 1, 0.0, "pass")]
)
def test_judge_compares_throughput_with_line_rate(rate: float, cores: int, speed: float, state: str) -> None:
    assert judge.judge_throughput(rate, cores, [make_link(speed_bytes_per_s=speed)]).state == state
