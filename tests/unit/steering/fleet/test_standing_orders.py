from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import steering.fleet.standing_orders as orders_module
from oca.common.clock import monotonic_s, now_ns
from oca.common.units import format_instant
from steering.fleet.operators_orders import change_turnup, drain, undrain
from steering.fleet.standing_orders import StandingOrders
from steering.fleet.turnup import held_ratio
from steering.fleet.turnup_settings import TurnupTable
from steering.plan.planner import make_plans
from steering.probing.observations import Seen
from steering.state.embedded import EmbeddedState
from steering.titles.catalogue import AssetSummary
from steering.trust.audit import Actor, read_entries
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import NOW_NS, make_contents, make_report, make_settings
from tests.waiting import WAIT_S

ADA = Actor("ada", "192.0.2.1")


class World:
    """A service whose clock, probes and orders the test has in hand."""

    def __init__(self, steering: Steering, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steering = steering
        self.state = steering.state
        self.decider = steering.service.decider
        self.now_ns = NOW_NS
        self.probes: dict[str, Seen] = {}
        monkeypatch.setattr(orders_module, "now_ns", lambda: self.now_ns)
        monkeypatch.setattr("steering.fleet.operators_orders.now_ns", lambda: self.now_ns)
        monkeypatch.setattr(orders_module, "LOOK_S", 0)
        monkeypatch.setattr(orders_module, "CONTENTS_S", 0)

    def orders(self) -> StandingOrders:
        return StandingOrders(self.decider, self.state, last_probe=self.probes.get, is_probed=True)

    def report(self, name: str = "metro-a", **changes: Any) -> None:
        changes.setdefault("sequence", 1)
        self.decider.fleet.observe(make_report(name, **changes), monotonic_s())

    def standing(self, name: str = "metro-a") -> tuple[str, str]:
        found = self.decider.liveness(name)
        return found.standing, found.why

    def log(self) -> list[tuple[str, str, str]]:
        return [(entry.who, entry.action, entry.what) for entry in read_entries(self.state, last=99)]


@pytest.fixture
async def make_world(
    state: EmbeddedState, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[[TurnupTable], World]]:
    services: list[Steering] = []

    def make(turnup: TurnupTable) -> World:
        services.append(Steering(state, make_settings(turnup=turnup)))
        return World(services[0], monkeypatch)

    yield make
    for service in services:
        await service.client.close()
        await service.service.stop()


async def test_orders_take_a_site_out_and_bring_it_back_in_time(make_world: Callable[[TurnupTable], World]) -> None:
    world = make_world(TurnupTable(wanted=False))
    orders = world.orders()
    for name in ("metro-a", "metro-b"):
        world.report(name)
    drain(world.state, ADA, "site", "metro", for_s=60, reason="power works")
    await orders.look()
    assert {world.standing(name)[0] for name in ("metro-a", "metro-b")} == {"drained"}
    assert "ada drained its site metro from steering" in world.standing()[1]
    load = msgspec.structs.replace(make_report().load, connections=3)
    world.report("metro-b", sequence=2, load=load)
    assert world.standing("metro-b")[0] == "draining"
    world.now_ns += 60 * 10**9
    await orders.look()
    assert world.standing() == ("up", world.standing()[1])
    assert world.log() == [
        ("ada", "drain", f"site metro until {format_instant(NOW_NS + 60 * 10**9)}: power works"),
        ("steering", "undrain", "site metro: the time that ada gave is over"),
    ]
    assert not undrain(world.state, ADA, "site", "metro")


async def test_orders_hold_over_a_restart_until_they_are_ended(make_world: Callable[[TurnupTable], World]) -> None:
    world = make_world(TurnupTable(wanted=False))
    drain(world.state, ADA, "appliance", "metro-a", for_s=0, reason="")
    orders = world.orders()
    world.report()
    assert world.standing()[0] == "drained"
    assert undrain(world.state, ADA, "appliance", "metro-a")
    orders.follow()
    assert world.standing()[0] == "up"
    assert [action for _, action, _ in world.log()] == ["drain", "undrain"]


async def test_orders_let_a_new_box_in_once_it_has_passed(
    make_world: Callable[[TurnupTable], World], package: Path
) -> None:
    world = make_world(TurnupTable())
    revisions = world.steering.publish(package)
    orders = world.orders()
    assert orders.checks("metro-a") == []
    world.report()
    assert world.standing() == ("turning-up", "turning up: it is yet to be checked")
    await orders.look()
    assert world.standing()[1] == (
        "turning up: its delivery port has not been probed yet; "
        "it holds nothing that is published, and no plan for it is made yet"
    )
    with world.state.write() as transaction:
        transaction.put("capacity/metro-a", b"1000000")
    make_plans(world.state, world.decider.settings, now_ns=now_ns())
    world.probes["metro-a"] = Seen(0, "", True)
    await orders.look()
    assert world.standing()[1] == "turning up: it holds 0% of its plan, at least 50% is wanted: let its fill run"
    world.report(sequence=2, contents=make_contents(revisions))
    await orders.look()
    assert world.standing()[0] == "up"
    assert orders.checks("metro-a") == []
    assert world.log()[-1] == ("steering", "turn-up", "metro-a passed all checks")
    restarted = world.orders()
    await restarted.look()
    assert restarted.checks("metro-a") == []  # not asked again
    change_turnup(world.state, ADA, "metro-a", "again")
    orders.follow()
    assert world.standing()[0] == "turning-up"
    change_turnup(world.state, ADA, "metro-a", "accept")
    orders.follow()
    assert world.standing()[0] == "up"
    assert world.log()[-2:] == [("ada", "turn-up again", "metro-a"), ("ada", "turn-up accept", "metro-a")]


async def test_orders_read_the_fleet_anew_only_for_orders(
    make_world: Callable[[TurnupTable], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(TurnupTable())
    orders = world.orders()
    await orders.look()
    walks: list[str] = []

    def noting(name: str) -> Callable[..., Any]:
        real = getattr(orders_module, name)

        def call(*args: Any) -> Any:
            walks.append(name)
            return real(*args)

        return call

    for name in ("read_drains", "read_passed", "by_appliance"):
        monkeypatch.setattr(orders_module, name, noting(name))
    for number in range(3):
        with world.state.write() as transaction:
            transaction.put("demand/x", str(number).encode())
        await orders.look()
    assert walks == []
    drain(world.state, ADA, "appliance", "metro-a", for_s=60, reason="")
    await orders.look()
    assert walks == ["read_drains", "read_passed", "by_appliance"]
    world.report()
    assert world.standing()[0] == "drained"
    walks.clear()
    world.now_ns += 60 * 10**9
    orders.follow()
    orders.follow()
    assert walks == ["by_appliance"], "its time is over"
    assert world.standing()[0] == "turning-up"


async def test_orders_leave_boxes_alone_that_served_before_there_were_checks(
    make_world: Callable[[TurnupTable], World], state: EmbeddedState
) -> None:
    with state.write() as transaction:
        transaction.put("capacity/metro-b", b"1000")
    world = make_world(TurnupTable())
    orders = world.orders()
    world.report("metro-a")
    world.report("metro-b")
    await asyncio.wait_for(orders.look(), WAIT_S)
    assert (world.standing("metro-a")[0], world.standing("metro-b")[0]) == ("turning-up", "up")
    again = world.orders()
    await again.look()
    assert list(map(again.checks, ("metro-b",))) == [[]]
    assert again.checks("metro-a")


async def test_orders_count_contents_beside_the_loop_and_let_nobody_in_uncounted(
    make_world: Callable[[TurnupTable], World], package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(TurnupTable())
    revisions = world.steering.publish(package)
    orders = world.orders()
    await orders.look()
    counted: list[dict[str, str]] = []

    def count(wanted: Iterable[AssetSummary], held: dict[str, str]) -> float:
        assert threading.current_thread() is not threading.main_thread()
        counted.append(held)
        return held_ratio(wanted, held)

    monkeypatch.setattr(orders_module, "held_ratio", count)
    names = ("metro-a", "metro-b")
    with world.state.write() as transaction:
        for name in names:
            transaction.put(f"capacity/{name}", b"1000000")
    make_plans(world.state, world.decider.settings, now_ns=now_ns())
    for name in names:
        world.report(name, contents=make_contents(dict(list(revisions.items())[:1])))
        world.probes[name] = Seen(0, "", True)
    monkeypatch.setattr(orders_module, "COUNTING_S_MAX", -1)
    await orders.look()
    assert (counted, [orders.checks(name) for name in names]) == ([], [[], []])
    assert [world.standing(name)[0] for name in names] == ["turning-up"] * 2
    monkeypatch.setattr(orders_module, "COUNTING_S_MAX", 10)
    monkeypatch.setattr(orders_module, "CONTENTS_S", 60)
    await orders.look()
    await orders.look()
    assert [len(held) for held in counted] == [1, 1]
    assert all("of its plan, at least 50% is wanted" in world.standing(name)[1] for name in names)
