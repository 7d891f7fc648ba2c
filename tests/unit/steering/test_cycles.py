from __future__ import annotations

import asyncio
import gc
import json
import socket
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from weakref import ref

import pytest
import uvloop
from msgspec.structs import replace
from structlog.testing import capture_logs

from oca.common.routes import PathAttributes
from oca.common.threads import in_thread
from steering import cycles as cycles_module
from steering.background import Background
from steering.cycles import Cycles
from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from steering.titles.catalogue import write_title
from tests.unit.steering.api_client import JSON, Steering
from tests.unit.steering.front import Front, front, plain
from tests.unit.steering.made_up import make_contents, make_report
from tests.unit.steering.routes_made_up import Box
from tests.waiting import WAIT_S, until

EACH = 30


class Knot:
    def __init__(self) -> None:
        self.itself = self


def knot() -> ref[Knot]:
    """To one that nobody else names."""
    return ref(Knot())


@pytest.fixture
def made() -> Iterator[Cycles]:
    """Leaves the collector as it was."""
    cycles = Cycles()
    cycles.begin()
    yield cycles
    cycles.end()


async def test_cycles_are_looked_for_in_time_and_not_before(made: Cycles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycles_module, "LOOK_S", 0.0)
    gone = knot()
    kept = [[number] for number in range(4_000)]
    await made.look()
    assert (gone() is None, len(kept)) == (False, 4_000)
    monkeypatch.setattr(cycles_module, "WHOLE_S", 0.0)
    with capture_logs() as logs:
        await made.look()
    assert gone() is None
    assert [(line["event"], line["objects"] > 0) for line in logs] == [("looked for cycles", True)]


async def test_cycles_are_looked_for_when_more_comes_than_goes(made: Cycles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycles_module, "LOOK_S", 0.0)
    monkeypatch.setattr(cycles_module, "GROWTH_MAX", 10_000)
    made._took_s = 0.0
    gone = knot()
    for _ in range(20_000):
        knot_free: list[int] = []
        del knot_free
    await made.look()
    assert gone() is not None
    kept = [[number] for number in range(20_000)]
    await made.look()
    assert (gone() is None, len(kept)) == (True, 20_000)
    gone = knot()
    kept += [[number] for number in range(20_000)]
    made._took_s = 60.0
    await made.look()
    assert gone() is not None


def test_cycles_leave_what_was_there_alone_until_they_end() -> None:
    gc.collect()
    gone = knot()
    cycles = Cycles()
    cycles.begin()
    gc.collect()
    assert gone() is not None
    cycles.end()
    gc.collect()
    assert (gone(), gc.isenabled()) == (None, True)


@pytest.mark.usefixtures("made")
async def test_requests_leave_no_cycles(steering: Steering, package: Path) -> None:
    held = steering.publish(package)
    await steering.report(make_report("metro-a", contents=make_contents(held)))
    asked = [
        ("GET", "/health", b""),
        ("GET", "/nowhere", b""),
        ("POST", "/v1/playback?by=aiohttp", json.dumps({"title": "harbour"}).encode()),
        ("POST", "/v1/playback", b"{"),
        ("POST", "/v1/playback", json.dumps({"title": "mist"}).encode()),
        ("GET", "/v1/playback/harbour/master.m3u8", b""),
        ("GET", "/v1/playback/mist/master.m3u8", b""),
        ("GET", "/steer/hls?title=harbour&pathways=metro-a,origin", b""),
        ("POST", "/v1/appliances/metro-a/report", b'{"appliance":1}'),
    ]

    async def ask(times: int) -> None:
        for method, path, body in asked:
            for _ in range(times):
                await steering.client.request(method, path, data=body, headers=JSON)

    await ask(1)
    gc.collect()
    await ask(EACH)
    assert gc.collect() < EACH


CHUNKED = b"POST /v1/playback HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
ENDED = {
    "TLS": b"\x16\x03\x01 hello\r\n\r\n" + b"x" * 1000,
    "another version": b"GET / HTTP/9.9\r\n\r\n" * 2,
    "after a request": b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nnone\r\n\r\n",
    "after plain requests": plain(title="mist") * 40 + b"none\r\n\r\n",
    "after an upgrade": UPGRADE + b"\x00none\r\n\r\n",
    "in chunks": CHUNKED + b"1\r\n{\r\nnone\r\n",
}
"""By us: what follows is no HTTP."""
CUT = {
    "plain": plain()[:-1],
    "other": plain("X-Other: 1")[:-1],
    "chunks": CHUNKED + b"10\r\n",
    "report": plain().replace(b"playback", b"appliances/metro-a/report")[:-1],
    "unanswered": plain(),
    "nothing": b"",
}
"""By the client, before its request is whole or answered."""


async def _connect(service: Front, sent: bytes, *, ended: bool) -> None:
    loop, asked = asyncio.get_running_loop(), service.by_aiohttp
    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", service.port))
        await loop.sock_sendall(client, sent)
        async with asyncio.timeout(WAIT_S):
            while ended and await loop.sock_recv(client, 2**16):
                pass
        if not ended and sent and not sent.startswith(plain()[:40]):
            await until(lambda: service.by_aiohttp > asked)
    await until(lambda: service.counts.values["steering_connections"] == 0)


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("sent", [*ENDED.values(), *CUT.values()], ids=[*ENDED, *CUT])
def test_connections_leave_no_cycles(
    state: EmbeddedState, settings: SteeringSettings, package: Path, sent: bytes
) -> None:
    async def left() -> int:
        async with Steering(state, settings) as steering:
            held = steering.publish(package)
            await steering.report(make_report("metro-a", contents=make_contents(held)))
            async with front(steering) as service:
                await _connect(service, sent, ended=sent in ENDED.values())
                gc.collect()
                for _ in range(EACH):
                    await _connect(service, sent, ended=sent in ENDED.values())
                return gc.collect()

    assert uvloop.run(left()) < EACH  # asyncio's own transports are cycles


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("sent", CUT.values(), ids=CUT)
def test_connections_that_a_look_has_seen_leave_no_cycles(
    state: EmbeddedState, settings: SteeringSettings, package: Path, sent: bytes
) -> None:
    async def left() -> int:
        async with Steering(state, settings) as steering:
            held = steering.publish(package)
            await steering.report(make_report("metro-a", contents=make_contents(held)))
            async with front(steering) as service:
                await _connect(service, sent, ended=False)
                gc.unfreeze()
                gc.collect()
                clients = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(EACH)]
                for client in clients:
                    client.sendall(sent)
                await until(lambda: service.counts.values["steering_connections"] == EACH)
                gc.collect()
                gc.freeze()  # as a look does
                for client in clients:
                    client.close()
                await until(lambda: service.counts.values["steering_connections"] == 0)
                clients.clear()
                gc.unfreeze()  # as a look at everything does
                return gc.collect()

    assert uvloop.run(left()) < EACH


@pytest.mark.usefixtures("made")
async def test_what_is_told_anew_leaves_no_cycles(steering: Steering, package: Path) -> None:
    held, box, sequence = steering.publish(package), Box("metro-a"), count(1)
    catalogue = steering.service.decider.catalogue
    title = catalogue.titles["harbour"]
    assets = [stored for name in held if (stored := catalogue.asset(name)) is not None]

    async def tell(times: int) -> None:
        for _ in range(times):
            number = next(sequence)
            with steering.state.write() as transaction:
                write_title(transaction, replace(title, name=f"Harbour {number}"), assets)
            assert catalogue.refresh()
            kept = dict(list(held.items())[: number % 3 + 1])
            await steering.report(make_report("metro-a", sequence=number, contents=make_contents(kept)))
            path = PathAttributes(as_path=f"64500 {number}")
            assert box.tell(steering.service.decider.reach, {"45.1.0.0/16": path}, whole=number % 2 == 0) == ""
            assert (await steering.playback(client="45.1.0.1"))[0] == 200
            gc.freeze()  # as a look does

    await tell(1)
    gc.unfreeze()
    gc.collect()
    await tell(EACH)
    gc.unfreeze()  # as a look at everything does
    assert gc.collect() < EACH


async def test_title_that_was_asked_for_keeps_no_catalogue_from_before(steering: Steering, package: Path) -> None:
    steering.publish(package)
    catalogue = steering.service.decider.catalogue
    assert (await steering.playback(client="45.1.0.1"))[0] == 200
    before = ref(catalogue.titles)
    with steering.state.write() as transaction:
        write_title(transaction, replace(catalogue.titles["harbour"], title="quay", assets=[]), [])
    assert catalogue.refresh()
    gc.collect()
    assert before() is None


@pytest.mark.usefixtures("made")
async def test_work_that_fails_leaves_no_cycles(tmp_path: Path) -> None:
    def fail() -> None:
        (tmp_path / "nowhere").read_text()

    async def work() -> None:
        await in_thread(fail, name="work")

    background, rounds = Background(), 0

    async def one() -> None:
        nonlocal rounds
        rounds += 1
        await work()

    background.repeat(one, name="work", retry_s=0)
    await until(lambda: rounds > 1)
    gc.collect()
    begun = rounds
    await until(lambda: rounds > begun + EACH)
    assert gc.collect() < EACH
    await background.close()
