"""An appliance at a glance, made up."""

from __future__ import annotations

import pytest

from oca.admin.status import DeviceStatus, LinkStatus, PlayersStatus, Status, SteeringStatus, WorkerStatus
from oca.common.messages import Health, Load, StoreUse

MINUTE_NS = 60 * 10**9


@pytest.fixture
def status() -> Status:
    return Status(
        appliance="fra1-a",
        site="fra1",
        version="0.1.0",
        started_at_ns=0,
        at_ns=90 * MINUTE_NS,
        serving="serving",
        drain_left_s=0,
        drained_at_ns=0,
        health=Health(verdict="ok", reasons=[]),
        load=Load(connections=12, sent_bytes_per_s=125e6, link_bytes_per_s=1.25e9, cpu_ratio=0.25),
        store=StoreUse(capacity_bytes=4 * 2**40, used_bytes=2**40, assets=30, objects=4000),
        delivery_urls=["http://192.0.2.1"],
        workers=[WorkerStatus(pid=5, ready=True, loop="uvloop", restarts=1, why="ended by SIGKILL")],
        devices=[DeviceStatus(path="/nvme0", fault="", free_bytes=2**40)],
        links=[LinkStatus(name="eth0", up=True, why="", bytes_per_s=1.25e9)],
        steering=SteeringStatus(url="http://steer", state="connected", why="", since_ns=30 * MINUTE_NS),
        players=PlayersStatus(
            pacing="off",
            paced_connections=0,
            congestion=["cubic"],
            quality_reports=0,
            quality_starved=0,
            advised_kbits_per_s=0,
        ),
    )
