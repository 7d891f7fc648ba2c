from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from msgspec.structs import replace

from fill.progress import LogDisplay
from fill.service import FillService
from fill.settings import Configuration, FillSettings
from fill.tables import FillTable
from fill.window import Blackout, Span, Window, every_day
from oca.common import clock
from oca.common.box import ApplianceTable, Box, SteeringTable, StoreTable
from oca.common.errors import SteeringError, StoreError
from oca.common.identity import Credentials
from oca.common.messages import FillProgress
from oca.store.store import Store
from tests.unit.tracing import Collector, parent_of, traceparent
from tests.waiting import WAIT_S, until

from .conftest import Source, SteeringDouble, behave, make_files, make_manifest

NewSource = Callable[[Mapping[str, bytes]], Awaitable[Source]]
FILES = make_files("t/a", [50_000, 20_000])
NIGHT = every_day(Span(time(2), time(14)), UTC)


class WallClock:
    """A wall clock that the test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    wall_clock = WallClock()
    monkeypatch.setattr(clock, "utc_now", wall_clock)
    monkeypatch.setattr("fill.service.LOOK_INTERVAL_S", 0.01)
    return wall_clock


def service(
    steering_url: str,
    device: Path,
    *,
    now: bool = True,
    wait: bool = True,
    window: Window = NIGHT,
    store: Mapping[str, Any] | None = None,
    **fill: Any,
) -> FillService:
    quick = FillTable(progress_interval_s=0.1, backoff_s=0.01, backoff_s_max=0.02, rounds_max=2, replan_interval_s=1)
    table = replace(quick, **fill)
    configuration = Configuration(
        own=FillSettings(fill=table),
        box=Box(
            appliance=ApplianceTable(id="fra1-a", site="fra1"),
            store=StoreTable(devices=(str(device),), **{"reserve_ratio": 0.0, **(store or {})}),
            steering=SteeringTable(url=steering_url),
        ),
        window=window,
        devices=(device,),
        credentials=Credentials(SteeringTable(identity_file=""), "fra1-a"),
    )
    return FillService(configuration, LogDisplay, ignore_window=now, wait=wait)


class Hanging:
    """Sends the first bytes of a body, tells so, and hangs until the source ends."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.reached = asyncio.Event()

    async def __call__(self, request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(body))})
        await response.prepare(request)
        await response.write(body[:10_000])
        self.reached.set()
        await self.source.released.wait()
        return response


async def test_service_fills_and_reports_progress(
    steering: SteeringDouble, device: Path, new_source: NewSource
) -> None:
    origin = await new_source(FILES)
    steering.offer(make_manifest("t/a", FILES, [origin.as_source()]))
    progress = await service(steering.url, device).run_once()
    assert isinstance(progress, FillProgress)
    assert (progress.state, progress.assets_done, progress.bytes_done) == ("done", 1, 70_000)
    assert steering.progress[-1] == progress
    Store.open([device]).close()  # and its lock is given back


@pytest.mark.parametrize("seen", [500, 1])
async def test_service_traces_a_fill_below_its_plan(
    steering: SteeringDouble, device: Path, new_source: NewSource, monkeypatch: pytest.MonkeyPatch, seen: int
) -> None:
    collector, joined = Collector(), f"00-{0xA:032x}-{0xB:016x}-01"
    monkeypatch.setattr("fill.service.open_tracing", lambda *_, **__: collector.tracer)
    monkeypatch.setattr("fill.agent.ASSET_SPANS_MAX", seen)
    origin = await new_source(FILES)
    good, gone = make_manifest("t/a", FILES, [origin.as_source()]), make_manifest("t/b", FILES, [])
    steering.offer(good, gone)
    asked: list[str] = []

    def answer(request: web.Request) -> web.Response | None:
        asked.append(request.headers.get("traceparent", ""))
        if not request.path.endswith("fill-plan"):
            return None
        return web.Response(body=msgspec.json.encode(steering.plan), headers={"traceresponse": joined})

    steering.answer = answer
    filling = service(steering.url, device)
    assert (await filling.run_once()) is not None
    spans = collector.spans
    fill = collector.named("fill")
    assert fill.parent is not None
    assert fill.parent.span_id == 0xB
    assert len({span.context.trace_id for span in spans if span.context}) == 1
    said = dict(fill.attributes or {})
    assert (said["oca.state"], said["oca.assets.done"], said["oca.bytes.origin"]) == ("incomplete", 1, 70_000)
    assets = {(span.attributes or {})["oca.asset"]: span for span in spans if span.name == "fill asset"}
    assert assets.keys() == ({"t/a", "t/b"} if seen > 1 else {"t/a"})
    assert assets["t/a"].status.is_ok
    requests = [span for span in spans if span.name == "GET /v1/appliances/{appliance}/assets/{asset}"]
    assert {parent_of(span, spans) for span in requests} == {"fill asset"}
    assert sorted(filter(None, asked)) == sorted(map(traceparent, requests))
    assert len(requests) == min(seen, 2)
    filling.close()


async def test_service_waits_for_window(
    steering: SteeringDouble, device: Path, new_source: NewSource, wall: WallClock
) -> None:
    origin = await new_source(FILES)
    steering.offer(make_manifest("t/a", FILES, [origin.as_source()]))
    wall.now = datetime(2026, 1, 10, 20, 0, tzinfo=UTC)
    running = asyncio.get_running_loop().create_task(service(steering.url, device, now=False).run_once())
    await asyncio.wait({running}, timeout=0.1)
    assert not running.done()
    assert origin.requests == [], "nothing that is not urgent is fetched before the window"
    wall.now += timedelta(hours=6)
    progress = await running
    assert progress is not None
    assert progress.state == "done"


def make_urgent(steering: SteeringDouble, *assets: str) -> None:
    assert steering.plan is not None
    planned = [replace(item, urgent=item.asset in assets) for item in steering.plan.assets]
    steering.plan = replace(steering.plan, assets=planned)


async def test_service_fetches_what_is_urgent_outside_window(
    steering: SteeringDouble, device: Path, new_source: NewSource, wall: WallClock
) -> None:
    files = {asset: make_files(asset, [1000]) for asset in ("t/a", "t/b")}
    origin = await new_source({**files["t/a"], **files["t/b"]})
    steering.offer(*(make_manifest(asset, files[asset], [origin.as_source()]) for asset in files))
    wall.now = datetime(2026, 1, 10, 20, 0, tzinfo=UTC)
    assert await service(steering.url, device, now=False, wait=False).run_once() is None
    assert origin.requests == []
    make_urgent(steering, "t/b")
    progress = await service(steering.url, device, now=False, wait=False).run_once()
    assert progress is not None
    assert (progress.state, progress.assets_total, origin.requests) == ("done", 1, [("/t/b/seg-0.m4s", "")])
    waiting = service(steering.url, device, now=False)
    make_urgent(steering)
    running = asyncio.get_running_loop().create_task(waiting.run_once())
    await asyncio.wait({running}, timeout=0.1)
    assert len(origin.requests) == 1
    wall.now += timedelta(hours=6)
    progress = await running
    assert progress is not None
    assert (progress.assets_total, progress.assets_done) == (1, 1), "in the window the rest follows"


async def test_service_for_ever_fetches_urgent_and_then_waits_for_window(
    steering: SteeringDouble, device: Path, new_source: NewSource, wall: WallClock
) -> None:
    files = {asset: make_files(asset, [1000]) for asset in ("t/a", "t/b")}
    origin = await new_source({**files["t/a"], **files["t/b"]})
    steering.offer(*(make_manifest(asset, files[asset], [origin.as_source()]) for asset in files))
    make_urgent(steering, "t/b")
    wall.now = datetime(2026, 1, 10, 20, 0, tzinfo=UTC)
    running = asyncio.get_running_loop().create_task(service(steering.url, device, now=False).run_forever())
    while not (steering.progress and steering.progress[-1].state == "done"):
        await asyncio.wait({running}, timeout=0.02)
        assert not running.done()
    assert [path for path, _ in origin.requests] == ["/t/b/seg-0.m4s"]
    wall.now += timedelta(hours=6)
    while len(origin.requests) < 2:
        await asyncio.wait({running}, timeout=0.02)
        assert not running.done()
    os.kill(os.getpid(), signal.SIGTERM)
    await running


async def test_service_fetches_nothing_on_blacked_out_date(
    steering: SteeringDouble, device: Path, new_source: NewSource, wall: WallClock
) -> None:
    origin = await new_source(FILES)
    steering.offer(make_manifest("t/a", FILES, [origin.as_source()]))
    make_urgent(steering, "t/a")
    window = replace(NIGHT, blackouts=(Blackout(wall.now.date(), wall.now.date()),))
    assert await service(steering.url, device, now=False, wait=False, window=window).run_once() is None
    assert (origin.requests, steering.tokens) == ([], [])


async def test_service_stops_urgent_fill_when_blackout_begins(
    steering: SteeringDouble, device: Path, new_source: NewSource, wall: WallClock
) -> None:
    origin = await new_source(FILES)
    hanging = origin.behaviour = Hanging(origin)
    steering.offer(make_manifest("t/a", FILES, [origin.as_source()]))
    make_urgent(steering, "t/a")
    wall.now = datetime(2026, 1, 10, 20, 0, tzinfo=UTC)
    tomorrow = wall.now.date() + timedelta(days=1)
    window = replace(NIGHT, blackouts=(Blackout(tomorrow, tomorrow),))
    urgent = service(steering.url, device, now=False, wait=False, window=window)
    running = asyncio.get_running_loop().create_task(urgent.run_once())
    await hanging.reached.wait()
    wall.now += timedelta(hours=5)
    progress = await running
    assert progress is not None
    assert progress.reason.startswith("the fill was cut short: 2026-01-11 is blacked out; the window opens at ")


async def test_service_stops_when_window_closes(
    steering: SteeringDouble, device: Path, new_source: NewSource, wall: WallClock
) -> None:
    origin = await new_source(FILES)
    hanging = origin.behaviour = Hanging(origin)
    steering.offer(make_manifest("t/a", FILES, [origin.as_source()]))
    running = asyncio.get_running_loop().create_task(service(steering.url, device, now=False).run_once())
    await hanging.reached.wait()
    wall.now += timedelta(hours=3)
    progress = await running
    assert progress is not None
    assert (progress.state, progress.reason) == (
        "incomplete",
        "the fill was cut short: the window opens at 2026-01-11 02:00 UTC; the next fill goes on from here",
    )


async def test_service_stops_on_sigterm_and_keeps_what_came(
    steering: SteeringDouble, device: Path, new_source: NewSource
) -> None:
    origin = await new_source(FILES)
    hanging = origin.behaviour = Hanging(origin)
    steering.offer(make_manifest("t/a", FILES, [origin.as_source()]))
    running = asyncio.get_running_loop().create_task(service(steering.url, device).run_once())
    await hanging.reached.wait()
    await until(lambda: any(asset.bytes_done == 10_000 for told in steering.progress for asset in told.current))
    os.kill(os.getpid(), signal.SIGTERM)
    progress = await running
    assert progress is not None
    assert progress.reason == "stopped by SIGTERM; the next fill goes on from here"
    assert steering.progress[-1].state == "incomplete"
    origin.behaviour = behave
    assert (await service(steering.url, device).run_once()) is not None
    assert origin.requests[-2:] == [("/t/a/seg-0.m4s", "bytes=10000-49999"), ("/t/a/seg-1.m4s", "")]


async def test_service_passes_ctrl_c_on_once_it_has_ended(
    steering: SteeringDouble, device: Path, new_source: NewSource
) -> None:
    origin = await new_source(FILES)
    hanging = origin.behaviour = Hanging(origin)
    steering.offer(make_manifest("t/a", FILES, [origin.as_source()]))

    async def press() -> None:
        await hanging.reached.wait()
        os.kill(os.getpid(), signal.SIGINT)

    pressing = asyncio.get_running_loop().create_task(press())
    caught = False
    try:  # pytest.raises and tasks both treat KeyboardInterrupt as the end of the run
        await service(steering.url, device).run_once()
    except KeyboardInterrupt:
        caught = True
    await pressing
    assert caught
    Store.open([device]).close()


async def test_service_stopped_before_window_does_nothing(
    steering: SteeringDouble, device: Path, wall: WallClock
) -> None:
    wall.now = datetime(2026, 1, 10, 20, 0, tzinfo=UTC)
    running = asyncio.get_running_loop().create_task(service(steering.url, device, now=False).run_once())
    await asyncio.wait({running}, timeout=0.05)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running is None


async def test_service_fails_once_when_steering_is_away(steering: SteeringDouble, device: Path) -> None:
    url = steering.url
    await steering.close()
    with pytest.raises(SteeringError, match="Connection refused"):
        await service(url, device).run_once()


async def test_service_fails_when_store_is_held(steering: SteeringDouble, device: Path) -> None:
    steering.offer()
    holder = Store.open([device])
    with pytest.raises(StoreError, match="another process writes to it"):
        await service(steering.url, device).run_once()
    holder.close()


async def test_service_goes_on_for_ever_once_steering_is_back(
    steering: SteeringDouble, device: Path, new_source: NewSource
) -> None:
    origin = await new_source(FILES)
    steering.offer(make_manifest("t/a", FILES, [origin.as_source()]))
    failed = asyncio.Event()

    def fail(_request: web.Request) -> web.Response:
        failed.set()
        return web.Response(status=500)

    steering.answer = fail
    running = asyncio.get_running_loop().create_task(service(steering.url, device).run_forever())
    await failed.wait()
    steering.answer = lambda _: None
    while not steering.progress or steering.progress[-1].state != "done":
        await asyncio.wait({running}, timeout=0.02)
        assert not running.done()
    os.kill(os.getpid(), signal.SIGTERM)
    await running


async def test_service_keeps_to_space_of_device_and_reserve(
    steering: SteeringDouble, device: Path, new_source: NewSource
) -> None:
    origin = await new_source(FILES)
    steering.offer(make_manifest("t/a", FILES, [origin.as_source()]))
    for limits in ({"device_bytes_max": 60_000}, {"device_bytes_max": 100_000, "reserve_ratio": 0.5}):
        progress = await service(steering.url, device, store=limits).run_once()
        assert progress is not None
        assert (progress.state, progress.assets_done) == ("incomplete", 0)
    progress = await service(steering.url, device, store={"device_bytes_max": 100_000}).run_once()
    assert progress is not None
    assert progress.assets_done == 1


async def test_service_fetches_as_many_assets_side_by_side_as_set(
    steering: SteeringDouble, device: Path, new_source: NewSource
) -> None:
    files = {asset: make_files(asset, [1000]) for asset in ("t/a", "t/b")}
    origin = await new_source({**files["t/a"], **files["t/b"]})
    barrier = asyncio.Barrier(2)

    async def answer_both_at_once(request: web.Request, body: bytes) -> web.StreamResponse:
        async with asyncio.timeout(WAIT_S):
            await barrier.wait()
        return await behave(request, body)

    origin.behaviour = answer_both_at_once
    steering.offer(*(make_manifest(asset, files[asset], [origin.as_source()]) for asset in files))
    progress = await service(steering.url, device, parallel_assets=2).run_once()
    assert progress is not None
    assert (progress.state, progress.assets_done) == ("done", 2)


async def test_service_asks_again_for_manifest_while_steering_is_busy(
    steering: SteeringDouble, device: Path, new_source: NewSource
) -> None:
    origin = await new_source(FILES)
    steering.offer(make_manifest("t/a", FILES, [origin.as_source()]))
    busy = [503, 503]
    steering.answer = lambda request: web.Response(status=busy.pop()) if busy and "/assets/" in request.path else None
    progress = await service(steering.url, device).run_once()
    assert progress is not None
    assert (progress.state, busy) == ("done", [])


async def test_service_gives_asset_up_after_rounds_set(
    steering: SteeringDouble, device: Path, new_source: NewSource
) -> None:
    origin = await new_source(FILES)

    async def be_busy(_request: web.Request, _body: bytes) -> web.StreamResponse:
        return web.Response(status=503)

    origin.behaviour = be_busy
    steering.offer(make_manifest("t/a", FILES, [origin.as_source()]))
    async with asyncio.timeout(WAIT_S):  # backoff_s_max holds: without, the rounds would be minutes apart
        progress = await service(steering.url, device, rounds_max=3, backoff_s=60, backoff_s_max=0.01).run_once()
    assert progress is not None
    assert progress.assets_failed == 1
    assert len(origin.requests) == 3


async def test_service_fetches_what_a_replacement_makes_room_for(
    steering: SteeringDouble, device: Path, new_source: NewSource
) -> None:
    limits = {"device_bytes_max": 120_000}
    old, new, late = make_files("t/a", [90_000]), make_files("t/a", [10_000]), make_files("t/b", [60_000])
    origin = await new_source(old)
    steering.offer(make_manifest("t/a", old, [origin.as_source()]))
    assert await service(steering.url, device, store=limits).run_once() is not None
    origin.files = {**new, **late}
    steering.offer(*(make_manifest(a, files, [origin.as_source()]) for a, files in (("t/b", late), ("t/a", new))))
    progress = await service(steering.url, device, store=limits).run_once()
    assert progress is not None
    assert progress.state == "done", progress
    store = Store.open([device])
    assert {pack.asset for pack in store.assets()} == {"t/a", "t/b"}
    store.close()


async def test_service_reports_and_plans_again_as_often_as_set(
    steering: SteeringDouble, device: Path, new_source: NewSource
) -> None:
    origin = await new_source(FILES)

    async def wait_and_behave(request: web.Request, body: bytes) -> web.StreamResponse:
        await origin.released.wait()
        return await behave(request, body)

    origin.behaviour = wait_and_behave
    steering.offer(make_manifest("t/a", FILES, [origin.as_source()]))
    often = service(steering.url, device, progress_interval_s=0.01, replan_interval_s=0.01)
    running = asyncio.get_running_loop().create_task(often.run_forever())
    async with asyncio.timeout(WAIT_S):
        while len(steering.progress) < 20:  # noqa: ASYNC110 - the double wakes nobody
            await asyncio.sleep(0.01)
        origin.released.set()
        while len(steering.tokens) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
    await running
