from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from oca.common.box import SteeringTable
from oca.common.errors import OcaError
from oca.common.routes import PathAttributes, RouteAnswer, RouteBatch
from oca.common.tasks import Tasks
from oca.network.bird_output import HeardRoute, RouteTable, Session
from oca.network.hearing import SETTLED_S
from oca.network.route_settings import RoutesTable
from oca.report import route_watch
from oca.report.exchange import Exchange
from oca.report.route_watch import RouteWatch
from tests.waiting import until

ROUTE = HeardRoute("isp", PathAttributes(as_path="64500"))
UP = Session("isp", established=True, state="Established", since="1", neighbour_as="64500", changes=(1,))


@dataclass
class FakeBird:
    """A BIRD that says what it is told to."""

    found: list[Session] = field(default_factory=lambda: [UP])
    table: RouteTable = field(default_factory=lambda: {"45.1.0.0/16": ROUTE})
    fault: str = ""
    too_many: bool = False
    reads: int = 0

    def sessions(self) -> list[Session]:
        if self.fault:
            raise OcaError(self.fault, remedy="start it")
        return self.found

    def routes(self) -> RouteTable:
        self.reads += 1
        if self.too_many:
            raise OcaError("BIRD has more than 1 routes", remedy="filter")
        return dict(self.table)


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> tuple[RouteWatch, FakeBird, Clock]:
    bird, clock = FakeBird(), Clock()
    return RouteWatch(RoutesTable(hold_s=60), bird, boot_id="b" * 32, clock=clock), bird, clock


async def settle(watch: RouteWatch, clock: Clock) -> None:
    await watch.look()
    clock.now += SETTLED_S
    await watch.look()


async def test_watch_reads_when_something_moved_and_tells_once_settled(
    watch: tuple[RouteWatch, FakeBird, Clock],
) -> None:
    made, bird, clock = watch
    await made.look()
    assert made.ledger.digest is None
    clock.now = SETTLED_S
    await made.look()
    assert (made.ledger.pending, bird.reads, made.reason) == (1, 2, "")
    await made.look()
    assert bird.reads == 2
    bird.found, bird.table = [UP._replace(changes=(2,))], {}
    await made.look()
    assert (made.ledger.pending, made.hearing.table) == (0, {})


async def test_watch_reads_large_tables_less_often(watch: tuple[RouteWatch, FakeBird, Clock]) -> None:
    made, bird, clock = watch
    await settle(made, clock)
    made.read_s = 2.0
    for second in range(1, 21):
        clock.now = SETTLED_S + second
        bird.found = [UP._replace(changes=(1 + second,))]
        await made.look()
    assert bird.reads == 3


async def test_watch_keeps_routes_while_bird_is_away(watch: tuple[RouteWatch, FakeBird, Clock]) -> None:
    made, bird, clock = watch
    await settle(made, clock)
    bird.fault = "BIRD at x cannot be asked"
    await made.look()
    assert made.reason == "routes: BIRD at x cannot be asked; start it"
    assert made.hearing.table == {"45.1.0.0/16": ROUTE}
    clock.now += 60
    await made.look()
    assert made.hearing.table == {}
    bird.fault, bird.found = "", []
    await made.look()
    await made.look()
    assert made.reason == "BIRD has no BGP session: no routes are heard"
    bird.found = [UP._replace(established=False)]
    await made.look()
    assert made.reason == "BGP session isp is not established"


async def test_watch_keeps_last_table_when_there_are_too_many_routes(
    watch: tuple[RouteWatch, FakeBird, Clock],
) -> None:
    made, bird, clock = watch
    await settle(made, clock)
    bird.too_many, bird.found = True, [UP._replace(changes=(9,))]
    await made.look()
    assert (made.reason, made.hearing.table) == ("routes: BIRD has more than 1 routes; filter", {"45.1.0.0/16": ROUTE})
    bird.too_many, bird.table = False, {}
    await made.look()
    assert (made.reason, made.hearing.table) == ("", {})


class Steering:
    """Takes batches as it is told."""

    def __init__(self) -> None:
        self.batches: list[RouteBatch] = []
        self.answer: Callable[[RouteBatch], web.Response] = lambda batch: self.say(batch, full_wanted=False)
        self.came = asyncio.Event()

    @staticmethod
    def say(batch: RouteBatch, *, full_wanted: bool) -> web.Response:
        return web.Response(body=msgspec.json.encode(RouteAnswer(digest=batch.after, full_wanted=full_wanted)))

    async def handle(self, request: web.Request) -> web.Response:
        batch = msgspec.json.decode(await request.read(), type=RouteBatch)
        self.batches.append(batch)
        self.came.set()
        return self.answer(batch)


@dataclass
class Box:
    """Reports to steering."""

    exchange: Exchange


@pytest.fixture
async def steering() -> AsyncIterator[tuple[Steering, Exchange]]:
    made = Steering()
    app = web.Application()
    app.router.add_post("/v1/appliances/fra1-a/routes", made.handle)
    async with TestServer(app, host="127.0.0.1") as server:
        yield made, Exchange(SteeringTable(url=str(server.make_url("/")), identity_file=""), "fra1-a")


@pytest.fixture
async def told(
    watch: tuple[RouteWatch, FakeBird, Clock], steering: tuple[Steering, Exchange], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    monkeypatch.setattr(route_watch, "RETRY_S", 0.01)
    tasks = Tasks()

    async def start() -> None:
        watch[0].start(tasks, Box(steering[1]), pause_s=0.01)
        await until(lambda: watch[0].hearing.has_begun() or watch[0].reads > 0)
        watch[2].now += SETTLED_S

    yield start
    await tasks.close()


async def test_watch_tells_steering_and_again_when_it_forgot(
    watch: tuple[RouteWatch, FakeBird, Clock],
    steering: tuple[Steering, Exchange],
    told: Callable[[], Awaitable[None]],
) -> None:
    made, (service, _) = watch[0], steering
    await told()
    await until(lambda: made.ledger.digest is not None and made.ledger.pending == 0)
    assert [(batch.begins, batch.ends) for batch in service.batches] == [(False, False)]
    made.nudge()
    await until(lambda: len(service.batches) == 2 and made.ledger.digest is not None)
    assert [(batch.begins, batch.ends) for batch in service.batches] == [(False, False), (True, True)]


async def test_watch_tells_everything_until_steering_takes_it(
    watch: tuple[RouteWatch, FakeBird, Clock],
    steering: tuple[Steering, Exchange],
    told: Callable[[], Awaitable[None]],
) -> None:
    made, (service, _) = watch[0], steering
    answers = iter(["broken", "no JSON", "wanted", "wanted", "taken"])

    def answer(batch: RouteBatch) -> web.Response:
        match next(answers):
            case "broken":
                return web.Response(status=500)
            case "no JSON":
                return web.Response(body=b"?")
            case "wanted":
                return service.say(batch, full_wanted=True)
        return service.say(batch, full_wanted=False)

    service.answer = answer
    await told()
    await until(lambda: made.ledger.pending == 0 and made.ledger.digest is not None)
    assert [batch.full for batch in service.batches] == [False, False, False, True, True]
