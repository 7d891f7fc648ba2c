from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from steering.probing import prober as prober_module
from steering.probing.prober import Prober
from steering.probing.settings import ProbesTable
from steering.probing.targets import Target
from steering.state.embedded import EmbeddedState
from steering.state.peers import Alone, Link, Told, Topic
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_report, make_settings
from tests.waiting import WAIT_S

NAMES = ("metro-a", "metro-b", "region-a")


class Exchange:
    """Instances that hear each other at once."""

    def __init__(self) -> None:
        self.takers: dict[str, Callable[[Told], None]] = {}


class Hearing:
    """A ``Peers`` in one process."""

    def __init__(self, instance: str, exchange: Exchange) -> None:
        self.instance = instance
        self._exchange = exchange

    def tell(self, topic: Topic, body: bytes, *, about: str = "") -> None:
        for name, take in self._exchange.takers.items():
            if name != self.instance:
                take(Told(self.instance, body, 0.0))

    def listen(self, topic: Topic, take: Callable[[Told], None]) -> None:
        self._exchange.takers[self.instance] = take

    def begin(self) -> None:
        """Everybody hears at once."""

    def link(self) -> Link:
        return Link(True, 0.0)


class World:
    """One service, observers beside it whose probes the test answers, and a clock of its own."""

    def __init__(self, steering: Steering) -> None:
        self.steering = steering
        self.decider = steering.service.decider
        self.now_s = 1000.0
        self.dark: dict[str, set[str]] = {}
        self.asked: list[tuple[str, str]] = []
        self.probers: dict[str, Prober] = {}
        self._exchange = Exchange()

    def observer(self, name: str) -> Prober:
        made = Prober(self.decider, Hearing(name, self._exchange), now_s=lambda: self.now_s)
        made._fetcher = self  # type: ignore[assignment]
        self.dark[name] = set()
        made._targets = Named(name)  # type: ignore[assignment]
        self.probers[name] = made
        return made

    async def fetch(self, target: Target) -> str:
        observer, appliance = target.url.split()
        self.asked.append((observer, appliance))
        return "dark" if appliance in self.dark[observer] else ""

    async def close(self) -> None:
        """There is nothing to close."""

    async def run(self, seconds: float) -> None:
        """Let time pass; appliances report all along."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            for name in NAMES:
                self.decider.fleet.members[name].received_at_s = self.now_s
            for prober in self.probers.values():
                await prober.look()
                while prober._under_way:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0)
            self.now_s += 0.5

    def standing(self, appliance: str) -> tuple[str, str]:
        found = self.decider.fleet.liveness(appliance, self.now_s)
        return found.standing, found.why


class Named:
    """Targets that say who probes whom."""

    def __init__(self, observer: str) -> None:
        self._observer = observer

    def of(self, appliance: str) -> Target:
        return Target(f"{self._observer} {appliance}", None)


@pytest.fixture
async def world(state: EmbeddedState, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(prober_module, "TURN_S", 0)
    settings = make_settings()
    async with Steering(state, settings) as steering:
        decider = steering.service.decider
        decider.settings = replace(settings, probes=ProbesTable(interval_s=5))
        for name in NAMES:
            decider.fleet.observe(make_report(name, "metro" if name != "region-a" else "region"), 1000.0)
        yield World(steering)


async def test_prober_takes_out_box_that_cannot_be_fetched_from_and_lets_it_back(world: World) -> None:
    prober = world.observer("here")
    await world.run(2)
    assert world.standing("metro-a")[0] == "up"
    world.dark["here"] = {"metro-a"}
    await world.run(15)
    assert world.standing("metro-a") == ("unreachable", "probes cannot fetch from it (here: dark)")
    assert world.standing("metro-b")[0] == "up"
    assert prober.last("metro-a") is not None
    world.dark["here"] = set()
    await world.run(15)
    assert world.standing("metro-a")[0] == "up"
    values = world.decider.counts.values
    assert values["steering_probes:failed"] >= 3
    assert values["steering_observers:votes"] == 1


async def test_prober_needs_others_to_agree(world: World) -> None:
    for name in ("ham", "osl", "rom"):
        world.observer(name)
    world.dark["ham"] = {"metro-a"}
    await world.run(20)
    assert world.standing("metro-a")[0] == "up"
    world.dark["osl"] = {"metro-a"}
    await world.run(20)
    assert world.standing("metro-a") == (
        "unreachable",
        "2 of 3 observers cannot fetch from it (ham: dark; osl: dark)",
    )
    seen = {view.observer: (view.votes, view.against) for view in world.probers["rom"].observers()}
    assert seen == {"rom": (True, 0), "ham": (True, 1), "osl": (True, 1)}
    assert world.probers["rom"].observers()[0].is_this


async def test_prober_that_is_isolated_says_so_and_does_not_vote(world: World) -> None:
    cut_off, well = world.observer("ham"), world.observer("osl")
    await world.run(6)
    world.dark["ham"] = set(NAMES)
    for _ in range(60):
        await world.run(0.5)
        assert {world.standing(name)[0] for name in NAMES} == {"up"}
    said = "isolated: cannot reach 3 of 3 appliances whose reports come"
    assert cut_off.faults() == [f"this observer does not vote: {said}"]
    assert [view.abstains for view in well.observers() if view.observer == "ham"] == [said]
    assert well.faults() == []


async def test_prober_lets_observer_that_fell_silent_not_vote(world: World) -> None:
    world.observer("ham"), world.observer("osl")
    world.dark["ham"] = {"metro-a"}
    await world.run(20)
    assert world.standing("metro-a")[0] == "up"
    del world.probers["osl"]
    await world.run(20)
    assert world.standing("metro-a")[0] == "unreachable"


async def test_prober_leaves_silent_boxes_alone_and_bounds_what_is_under_way(world: World) -> None:
    world.decider.settings = replace(world.decider.settings, probes=ProbesTable(interval_s=5, concurrency_max=1))
    prober = world.observer("here")
    world.decider.fleet.members["metro-b"].report = None
    gate, most = asyncio.Event(), []

    async def held(target: Target) -> str:
        most.append(prober._under_way)
        await gate.wait()
        return ""

    prober._fetcher.fetch = held  # type: ignore[method-assign]
    for _ in range(9):
        await prober.look()
        await asyncio.sleep(0)
        world.now_s += 1
    assert most == [1]
    assert prober.faults() == ["probes are 9 s late: raise probes.concurrency_max or interval_s"]
    gate.set()
    await prober.close()


async def test_prober_reads_no_strange_statement(world: World) -> None:
    prober = world.observer("here")
    prober._board._take(Told("else", b"\\xff", 0.0))
    prober._board._take(Told("other", b'{"probed": 3, "failing": {"nobody": "dark"}}', 0.0))
    await world.run(2)
    views = {view.observer: view.abstains for view in prober.observers()}
    assert views["else"].startswith("cannot be understood: ")
    assert {world.standing(name)[0] for name in NAMES} == {"up"}


async def test_prober_is_off_without_an_interval(state: EmbeddedState, package: Path) -> None:
    async with Steering(state, make_settings()) as steering:
        prober = Prober(steering.service.decider, Alone("here"))
        assert not prober.is_on
        assert prober.faults() == []
        assert await steering.get("/v1/observers") == {"observers": []}


async def test_prober_fetches_from_a_real_port(state: EmbeddedState) -> None:
    asked = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        asked.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with Steering(state, make_settings(probes=ProbesTable(interval_s=0.1))) as steering, asyncio.timeout(WAIT_S):
        await steering.report(make_report("metro-a", delivery_urls=[url]))
        await asked.wait()
        while not (seen := (await steering.get("/v1/observers"))["observers"]):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
    server.close()
    assert seen[0]["is_this"] is True


async def test_prober_has_box_stay_that_was_out_before(world: World) -> None:
    world.observer("here")
    await world.run(2)
    for standing in ("up", "returning"):
        world.dark["here"] = {"metro-a"}
        await world.run(15)
        assert world.standing("metro-a")[0] == "unreachable"
        world.dark["here"] = set()
        await world.run(10)
        assert world.standing("metro-a")[0] == standing
    assert "was away 2 times within a day: viewers come if it stays for 14 min" in world.standing("metro-a")[1]
    await world.run(900)
    assert world.standing("metro-a")[0] == "up"
