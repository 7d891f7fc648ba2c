from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import structs

from oca.admin.glance import FillStatus, RoutesStatus
from oca.admin.screen import service_line, status_lines
from oca.admin.status import (
    DeviceStatus,
    LinkStatus,
    PlayersStatus,
    Renewal,
    Status,
    SteeringStatus,
)
from oca.admin.tls import CertificateStatus, TlsStatus
from oca.common.messages import Health, Load, StoreUse

MINUTE_NS = 60 * 10**9
Screen = Callable[..., str]
PLAYERS = PlayersStatus(
    pacing="cmcd",
    paced_connections=7,
    congestion=["bbr", "reno"],
    quality_reports=90,
    quality_starved=2,
    advised_kbits_per_s=4000,
)


@pytest.fixture
def screen(status: Status) -> Screen:
    def show(**changes: Any) -> str:
        return "\n".join(status_lines(msgspec.structs.replace(status, **changes)))

    return show


def test_screen_shows_healthy_appliance(screen: Screen) -> None:
    assert screen() == (
        "fra1-a at fra1, oca 0.1.0, up 1 h 30 min\n"
        "state      serving; health ok\n"
        "viewers    12 connections, 1.0 Gb/s sent\n"
        "players    pacing off, congestion control cubic\n"
        "links      eth0 up 10.0 Gb/s\n"
        "workers    1 of 1 ready, 1 restarts, CPU 25%\n"
        "store      30 assets, 4000 objects, 1.0 TiB of 4.0 TiB (25%)\n"
        "           /nvme0: good, 1.0 TiB free\n"
        "steering   http://steer, takes reports for 1 h 0 min\n"
        "delivery   http://192.0.2.1"
    )


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"serving": "draining", "drain_left_s": 120.0, "drained_at_ns": MINUTE_NS},
            (
                "state      draining by 'oca drain' since 1970-01-01 00:01:00Z ('oca undrain' takes it back), "
                "at most 2 min 0 s more; health ok"
            ),
        ),
        (
            {"serving": "drained", "drained_at_ns": MINUTE_NS},
            "state      drained by 'oca drain' since 1970-01-01 00:01:00Z ('oca undrain' takes it back); health ok",
        ),
        ({"serving": "draining"}, "state      draining; health ok"),
        ({"health": Health(verdict="failed", reasons=["no worker"])}, "           ! no worker"),
        (
            {"health": Health(verdict="degraded", reasons=["hot"], weight=0.5)},
            "state      serving; health degraded, takes 50% of its viewers",
        ),
        ({"fill": FillStatus()}, "fill       none yet: 'oca-fill run', or its timer"),
        (
            {"routes": RoutesStatus(routes=3, kept=0, sessions=1, sessions_established=1)},
            "routes     3 by BGP, 1 of 1 sessions established",
        ),
        (
            {
                "steering": SteeringStatus(
                    url="http://steer",
                    state="connected",
                    why="",
                    since_ns=89 * MINUTE_NS,
                    sends_viewers=False,
                    judged="turning up: no probe yet",
                )
            },
            "           ! sends no new viewers here: turning up: no probe yet",
        ),
        ({"links": []}, "links      not known"),
        (
            {"players": PLAYERS},
            (
                "players    pacing cmcd, 7 paced, congestion control bbr and reno, 2 starved of 90 requests, "
                "asked to stay below 4.0 Mbit/s"
            ),
        ),
        (
            {"players": structs.replace(PLAYERS, congestion=[], quality_reports=0, advised_kbits_per_s=0)},
            "players    pacing cmcd, 7 paced",
        ),
        ({"links": [LinkStatus(name="eth0", up=False, why="dark", bytes_per_s=0)]}, "links      eth0 DOWN"),
        ({"devices": [DeviceStatus(path="/nvme0", fault="gone", free_bytes=0)]}, "           /nvme0: gone"),
        (
            {"store": StoreUse(capacity_bytes=0, used_bytes=0, assets=0, objects=0)},
            "store      0 assets, 0 objects, 0 B of 0 B",
        ),
        (
            {"steering": SteeringStatus(url="", state="alone", why="[steering] url is empty", since_ns=0)},
            "steering   none: stands alone, [steering] url is empty",
        ),
        (
            {"steering": SteeringStatus(url="http://steer", state="starting", why="", since_ns=0)},
            "steering   http://steer, no answer yet",
        ),
        (
            {
                "steering": SteeringStatus(
                    url="http://steer", state="connected", why="", since_ns=89 * MINUTE_NS, known_by="key"
                )
            },
            "steering   http://steer, takes reports for 1 min 0 s, knows this box by its key",
        ),
        (
            {"steering": SteeringStatus(url="http://steer", state="away", why="refused", since_ns=89 * MINUTE_NS)},
            "steering   http://steer, AWAY for 1 min 0 s: refused",
        ),
    ],
)
def test_screen_shows_what_is_out_of_order(screen: Screen, changes: dict[str, Any], line: str) -> None:
    assert line in screen(**changes).splitlines()


def test_screen_shows_who_encrypts_and_until_when_certificates_are_good(screen: Screen) -> None:
    good = CertificateStatus(file="/c.pem", names=["a.example", "b.example"], expires_at_ns=1_800_000_000 * 10**9)
    nameless = CertificateStatus(file="/d.pem", names=[], expires_at_ns=0)
    lines = screen(tls=TlsStatus(mode="ktls", shared_tickets=True, certificates=[good, nameless])).splitlines()
    assert "tls        encrypted by the kernel" in lines
    assert "           /c.pem: for a.example, b.example, until 2027-01-15 08:00:00Z" in lines
    assert any(line.startswith("           /d.pem: for no host, until ") for line in lines)
    userspace = screen(tls=TlsStatus(mode="userspace", shared_tickets=False, certificates=[]))
    assert "tls        encrypted by the workers, returning clients may handshake anew" in userspace.splitlines()
    assert "tls " not in screen()


def test_screen_shows_last_reload_and_what_waits(screen: Screen) -> None:
    renewal = Renewal(kind="reload", at_ns=89 * MINUTE_NS, said="changed log.level", waiting=("delivery.workers",))
    assert screen(renewal=renewal).endswith(
        "\nreload     1 min 0 s ago: changed log.level; delivery.workers: taken up by 'oca upgrade' or a restart"
    )
    failed = Renewal(kind="reload", at_ns=89 * MINUTE_NS, said="all goes on as before: why", done=False)
    assert screen(renewal=failed).endswith("\nreload     1 min 0 s ago: FAILED: all goes on as before: why")


def test_screen_has_one_line_for_service_manager() -> None:
    load = Load(connections=3, sent_bytes_per_s=125_000, link_bytes_per_s=0, cpu_ratio=0.5)
    well = service_line("serving", Health(verdict="ok", reasons=[]), load)
    assert well == "serving, health ok; 3 connections, 1.0 Mb/s sent"
    ill = service_line("draining", Health(verdict="degraded", reasons=["/d1: gone", "eth1 is down"]), load)
    assert ill == "draining, health degraded (/d1: gone; eth1 is down); 3 connections, 1.0 Mb/s sent"


def test_screen_shows_last_lines_of_what_was_out_of_order(screen: Screen) -> None:
    said = [f"2026-11-26T08:0{number}:00Z warning reporter: steering is away" for number in range(7)]
    shown = screen(lately=tuple(said))
    assert [line for line in shown.splitlines() if line.startswith("lately")] == [
        f"lately     {one}" for one in said[2:]
    ]


def test_screen_shows_until_when_it_is_drained(screen: Screen) -> None:
    shown = screen(serving="drained", drained_at_ns=MINUTE_NS, drained_until_ns=121 * MINUTE_NS)
    assert "since 1970-01-01 00:01:00Z until 1970-01-01 02:01:00Z ('oca undrain' takes it back)" in shown
