"""What ``/v1/fleet`` tells of an appliance beside its own words."""

from __future__ import annotations

from oca.common.clock import now_ns
from oca.common.messages import Load
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_report


async def test_fleet_shows_load_of_links_and_clock_that_is_off(steering: Steering) -> None:
    load = Load(connections=3, sent_bytes_per_s=1e6, link_bytes_per_s=1.25e9, cpu_ratio=0)
    hour_off_ns = now_ns() - 3600 * 10**9
    await steering.report(make_report(load=load, sent_at_ns=hour_off_ns))
    await steering.report(make_report("metro-b", sent_at_ns=now_ns()))
    first, second = (await steering.get("/v1/fleet"))["appliances"][:2]
    assert (first["connections"], first["sent_bytes_per_s"], first["link_bytes_per_s"]) == (3, 1e6, 1.25e9)
    assert [reason.split(" s ", 1)[1] for reason in first["reasons"]] == [
        "behind steering's, limit 30 s; check both machines' time service"
    ]
    assert second["reasons"] == []
