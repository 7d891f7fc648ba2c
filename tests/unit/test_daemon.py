import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from oca import daemon as daemons
from oca.common.box import AdminTable, ApplianceTable, ScrubTable, SteeringTable, StoreTable
from oca.common.errors import ConfigError, OcaError
from oca.common.log import configure_logging
from oca.common.messages import Load, Report
from oca.daemon import Daemon
from oca.delivery.authorisation import Authorisation
from oca.delivery.settings import DeliveryTable
from oca.delivery.tls_keeper import TlsKeeper
from oca.delivery.tls_settings import TlsTable
from oca.report.inventory import Inventory
from oca.settings import ApplianceSettings, DrainTable
from oca.store.store import Store
from tests.system.side_by_side import WORKER
from tests.unit.store.made_up import flip_byte, hold
from tests.waiting import WAIT_S

HOST = f"127.0.201.{1 + WORKER}"
"""An address that nothing else binds: elsewhere a port that was free may be somebody's a moment later."""


class FakeSupervisor:
    """Delivery that starts and drains as it is told."""

    def __init__(self, delivery: Any) -> None:
        self.urls = delivery.urls
        self.counters = delivery.counters
        self.workers = delivery.workers
        self.take_demand = delivery.take_demand
        self.take_failed = delivery.take_failed
        self.leave_out = delivery.leave_out
        self.door = delivery.door
        self.load: Load | None = None
        self.advised = asyncio.Event()
        self.started = asyncio.Event()
        self.drained = asyncio.Event()
        self.stops: list[float] = []
        self.fault: OcaError | None = None
        self.turned: list[str | None] = []
        self.tls = TlsKeeper(TlsTable(), lambda *_: None)

    def authorise(self, told: Authorisation) -> None:
        self.told = told

    def advise(self, load: Load) -> None:
        self.load = load
        self.advised.set()

    async def start(self, take: Any = None, *, meanwhile: Callable[[], Awaitable[None]]) -> None:
        if self.fault is not None:
            raise self.fault
        await meanwhile()
        self.started.set()

    def turn_away(self, answer: str | None) -> None:
        if [answer] != self.turned[-1:]:
            self.turned.append(answer)

    async def stop(self, drain_s: float, *, gently: bool = False) -> None:
        self.stops.append(drain_s)
        if drain_s:
            await self.drained.wait()


def free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


class Rig:
    """A daemon put together from a real store, a made-up delivery and a steering of the test's own."""

    def __init__(
        self,
        folder: Path,
        delivery: Any,
        url: str = "",
        *,
        drain: DrainTable = DrainTable(),  # noqa: B008
        scrub_bytes_per_s: int = 0,
    ) -> None:
        self.settings = ApplianceSettings(
            appliance=ApplianceTable(id="box", site="here"),
            delivery=DeliveryTable(listen=("127.0.0.1:8080",), drain_s=20),
            store=StoreTable(devices=(str(folder),), scrub=ScrubTable(rate_bytes_per_s=scrub_bytes_per_s)),
            admin=AdminTable(listen=f"{HOST}:{free_port()}"),
            steering=SteeringTable(url=url, report_interval_s=300),
            drain=drain,
        )
        self.inventory = Inventory(self.settings.store)
        self.supervisor = FakeSupervisor(delivery)
        self.daemon = Daemon(self.settings, self.supervisor, self.inventory, lambda: self.settings)  # type: ignore[arg-type]

    async def post(self, path: str) -> Any:
        async with aiohttp.ClientSession() as session:
            url = f"http://{self.settings.admin.listen}{path}"
            async with session.post(url, json={}) as response:
                return await response.json()


@pytest.fixture
def rig(tmp_path: Path, delivery: Any) -> Iterator[Rig]:
    configure_logging(style="json")
    made = Rig(tmp_path, delivery)
    yield made
    made.inventory.close()


def run(rig: Rig) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(rig.daemon.run())


async def test_daemon_serves_until_told_to_stop(rig: Rig) -> None:
    running = run(rig)
    async with asyncio.timeout(WAIT_S):
        await rig.supervisor.started.wait()
        await rig.supervisor.advised.wait()
        assert rig.supervisor.load == rig.daemon.snapshot.load
        rig.daemon.stop()
        rig.supervisor.drained.set()
        await running
    assert rig.supervisor.stops == [20, 0]
    assert rig.daemon.serving == "drained"


async def test_daemon_reports_asset_lost_that_its_scrub_finds_bad(tmp_path: Path, delivery: Any) -> None:
    store = Store.open([tmp_path])
    hold(store, "film/bad")
    hold(store, "film/good")
    store.close()
    flip_byte(tmp_path / "packs" / "00000001.pack", 5000)
    rig = Rig(tmp_path, delivery, scrub_bytes_per_s=10**9)
    digest = rig.daemon.snapshot.store.held.digest
    running = run(rig)
    async with asyncio.timeout(WAIT_S):
        await rig.supervisor.started.wait()
        while rig.daemon.snapshot.store.quarantined == 0:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
        assert [pack.asset for pack in rig.daemon.snapshot.store.packs] == ["film/good"]
        assert rig.daemon.snapshot.store.held.digest != digest
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{rig.settings.admin.listen}/metrics") as got,
        ):
            shown = await got.text()
        assert 'oca_scrub_faults_total{kind="damaged"} 1.0' in shown
        assert "oca_store_quarantined_packs 1.0" in shown
        rig.daemon.stop()
        rig.supervisor.drained.set()
        await running
    rig.inventory.close()


async def test_daemon_does_not_inflate_what_its_admin_is_sent(rig: Rig) -> None:
    running = run(rig)
    async with asyncio.timeout(WAIT_S):
        await rig.supervisor.started.wait()
        host, _, port = rig.settings.admin.listen.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"Host: {host}\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\n"
        for path in ("/v1/drain", "/v1/undrain"):  # inflating "no gzip" would fail and end the connection
            writer.write(f"POST {path} HTTP/1.1\r\n{head}no gzip".encode())
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            await reader.readuntil(b"}")
        writer.close()
        rig.daemon.stop()
        rig.daemon.stop()
        await running


async def test_daemon_ends_drain_at_second_stop(rig: Rig) -> None:
    running = run(rig)
    async with asyncio.timeout(WAIT_S):
        await rig.supervisor.started.wait()
        rig.daemon.stop()
        rig.daemon.stop()
        await running
    assert rig.supervisor.stops[-1] == 0
    assert not rig.supervisor.drained.is_set()


async def test_daemon_cleans_up_when_delivery_cannot_start(rig: Rig) -> None:
    rig.supervisor.fault = OcaError("no delivery worker starts", remedy="see the log")
    with pytest.raises(OcaError, match="no delivery worker starts"):
        await rig.daemon.run()
    with socket.create_server((HOST, int(rig.settings.admin.listen.rpartition(":")[2]))):
        pass  # the admin port is free again


async def test_daemon_names_admin_port_that_is_taken(rig: Rig) -> None:
    port = int(rig.settings.admin.listen.rpartition(":")[2])
    with (
        socket.create_server((HOST, port)),
        pytest.raises(ConfigError, match="address already in use") as caught,
    ):
        await rig.daemon.run()
    assert "ss -ltnp" in caught.value.remedy
    assert not rig.supervisor.started.is_set()


async def test_daemon_starts_failed_part_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(daemons, "RESTART_S", 0)
    again = asyncio.Event()
    failures = [ValueError("broken"), ValueError("broken")]

    async def watch() -> None:
        if failures:
            raise failures.pop()
        again.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(rig.daemon, "_watch", watch)
    running = run(rig)
    async with asyncio.timeout(WAIT_S):
        await again.wait()
        rig.daemon.stop()
        rig.supervisor.drained.set()
        await running
    assert capsys.readouterr().err.count("a part failed and is started again") == 2


async def test_daemon_tells_steering_of_every_change(tmp_path: Path, delivery: Any) -> None:
    configure_logging(style="json")
    reports: asyncio.Queue[Report] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        report = msgspec.json.decode(await request.read(), type=Report)
        await reports.put(report)
        return web.Response(body=b'{"contents_wanted": false}')

    app = web.Application()
    app.router.add_post("/v1/appliances/box/report", take)
    async with TestServer(app, host="127.0.0.1") as server, asyncio.timeout(WAIT_S):
        rig = Rig(tmp_path, delivery, str(server.make_url("")).rstrip("/"))
        delivery.counts = {"delivery_connections": 2}
        running = run(rig)
        seen = [(await reports.get()).serving]
        answer = await rig.post("/v1/drain")
        assert (answer["serving"], answer["changed"]) == ("draining", True)
        assert "within 2 h 0 min at most" in answer["follows"]
        draining = await reports.get()
        seen.append(draining.serving)
        assert draining.health.reasons[0].startswith("draining by 'oca drain' since ")
        assert rig.daemon.snapshot.health.reasons[0] == draining.health.reasons[0]
        assert rig.daemon.status().drained_at_ns > 0
        delivery.counts = {"delivery_connections": 0}
        seen.append((await reports.get()).serving)
        assert (await rig.post("/v1/undrain"))["serving"] == "serving"
        seen.append((await reports.get()).serving)
        delivery.states[0].ready = False
        failed = await reports.get()
        delivery.demand = {"film/video": (1, 10)}
        rig.daemon.stop()
        seen.append((await reports.get()).serving)
        rig.supervisor.drained.set()
        seen.append((await reports.get()).serving)
        await running
        rig.inventory.close()
    assert seen == ["serving", "draining", "drained", "serving", "draining", "drained"]
    assert (failed.health.verdict, failed.health.reasons[0]) == ("failed", "no delivery worker is ready")


async def test_daemon_turns_viewers_away_once_drained(tmp_path: Path, delivery: Any) -> None:
    configure_logging(style="json")
    delivery.counts = {"delivery_connections": 2}
    rig = Rig(tmp_path, delivery, drain=DrainTable(then="too-many"))
    running = run(rig)

    async def until_turned(turned: list[str | None]) -> None:
        while rig.supervisor.turned != turned:  # noqa: ASYNC110 - the fake wakes nobody
            await asyncio.sleep(0.01)

    async with asyncio.timeout(WAIT_S):
        await rig.supervisor.started.wait()
        await rig.post("/v1/drain")
        await until_turned([None])  # who plays may finish
        delivery.counts = {"delivery_connections": 0}
        await until_turned([None, "too-many"])
        await rig.post("/v1/undrain")
        await until_turned([None, "too-many", None])
        rig.daemon.stop()
        rig.daemon.stop()
        await running
    rig.inventory.close()


async def test_daemon_tells_service_manager_that_it_lives(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemons, "OBSERVE_INTERVAL_S", 0.01)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    told: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)

        async def hears(wanted: str) -> None:
            while not any(each.startswith(wanted) for each in told):
                told.append((await asyncio.get_running_loop().sock_recv(manager, 1000)).decode())
            told.clear()

        running = run(rig)
        async with asyncio.timeout(WAIT_S):
            await hears("READY=1")
            await hears("WATCHDOG=1\nSTATUS=serving, health ")
            rig.daemon.drain(0)
            await hears("WATCHDOG=1\nSTATUS=drained, health ")
            rig.daemon.stop()
            await hears("STOPPING=1")
            rig.supervisor.drained.set()
            await running
