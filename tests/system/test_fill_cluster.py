"""Three real appliances of a cluster, real steering and an origin that counts, each in a network namespace of its own.

Each asset leaves the origin once. Peers carry the rest, signed, on their delivery ports, and no viewer's demand comes
of it. With the agent of one killed in the middle, the others finish.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from oca.store.reader import StoreReader
from tests.provider import begin_body
from tests.system.site_network import NETWORK, SiteNetwork
from tests.unit.steering.made_up import write_package
from tests.waiting import until_told

pytestmark = pytest.mark.system

NAMES = ("metro-a", "metro-b", "metro-c")
FILMS = 4
SEGMENT_BYTES = 700_000
WAIT_S = 90.0
PIECE_BYTES = 16_384
HEADERS_MAX = 1.1
"""What goes over a link for a byte of a body, at most."""


class Origin:
    """Serves a folder with Range and counts the bytes of each file that it sends."""

    def __init__(self, folder: Path, network: SiteNetwork) -> None:
        self.folder = folder
        self.sent: Counter[str] = Counter()
        self.moved = asyncio.Event()
        application = web.Application()
        application.router.add_get("/{path:.+}", self._send)

        def bound(host: str, port: int, family: socket.AddressFamily) -> socket.socket:
            made = network.socket("origin", family)
            made.bind((host, port))
            return made

        self.server = TestServer(application, host=network.addresses["origin"], socket_factory=bound)

    @property
    def url(self) -> str:
        return f"http://{self.server.host}:{self.server.port}"

    @property
    def total(self) -> int:
        return sum(self.sent.values())

    async def _send(self, request: web.Request) -> web.StreamResponse:
        body = (self.folder / request.match_info["path"]).read_bytes()
        start = request.http_range.start or 0
        response = await begin_body(request, len(body), start)
        for place in range(start, len(body), PIECE_BYTES):
            piece = body[place : place + PIECE_BYTES]
            await response.write(piece)
            self.sent[request.match_info["path"]] += len(piece)
            self.moved.set()
        return response


def write_film(folder: Path, seed: int) -> None:
    """A packaged film, its segments as large as those of a film are."""
    dice = random.Random(seed)
    write_package(folder, mpd=None)
    for segment in sorted(folder.glob("seg-*")):
        segment.write_bytes(dice.randbytes(SEGMENT_BYTES + dice.randrange(1000)))


class Cluster:
    """Everything that runs."""

    def __init__(self, folder: Path, origin: Origin, network: SiteNetwork) -> None:
        self.folder = folder
        self.origin = origin
        self.network = network
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self.steering_url = f"http://{network.addresses['steering']}:8090"

    def write_settings(self) -> None:
        appliances = "".join(f'[[site.appliance]]\nid = "{name}"\n' for name in NAMES)
        (self.folder / "steering.toml").write_text(
            f'[api]\nlisten = "{self.network.addresses["steering"]}:8090"\nopen_to = ["{NETWORK}0/24"]\n'
            f'[operators]\nlogin = "off"\n[probes]\ninterval_s = 0\n[fleet]\nmissed_reports_max = 100\n'
            f'[state]\npath = "{self.folder / "state"}"\n'
            f'[origin]\nurl = "{self.origin.url}"\n[signing]\nmode = "required"\n'
            f'[[site]]\nid = "metro"\nprefixes = ["{NETWORK}0/24"]\n{appliances}'
        )
        for name in NAMES:
            home, address = self.folder / name, self.network.addresses[name]
            (home / "nvme0").mkdir(parents=True)
            (home / "appliance.toml").write_text(
                f'[appliance]\nid = "{name}"\nsite = "metro"\n[store]\ndevices = ["{home / "nvme0"}"]\n'
                f'reserve_ratio = 0.0\ndevice_bytes_max = 200000000\n[steering]\nurl = "{self.steering_url}"\n'
                f'report_interval_s = 0.5\n[delivery]\nlisten = ["{address}:8080"]\nworkers = 1\n'
                f'drain_s = 1\n[admin]\nlisten = "{address}:8088"\n'
            )
            (home / "fill.toml").write_text(
                "[fill]\nprogress_interval_s = 0.2\nrate_bytes_per_s_max = 4000000\n"
                "[ladder]\nlook_interval_s = 0.5\npeer_wait_s = 60\n"
            )

    async def start(self, name: str, host: str, program: str, *arguments: str) -> asyncio.subprocess.Process:
        script = {"oca": "oca.cli", "oca-fill": "fill.cli", "oca-steering": "steering.cli"}[program]
        with (self.folder / f"{name}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(*self.network.within(host), sys.executable, "-c", f"from {script} import main; main()", *arguments),
                stdout=asyncio.subprocess.PIPE if program == "oca-fill" else log,
                stderr=log,
                cwd=Path(__file__).parents[2],
            )
        self.processes[name] = process
        return process

    async def command(self, *arguments: str) -> None:
        process = await self.start(f"command-{len(self.processes)}", "steering", *arguments)
        assert await process.wait() == 0, (self.folder / f"command-{len(self.processes) - 1}.log").read_text()

    async def fill(self, name: str, *sets: str) -> asyncio.subprocess.Process:
        config = str(self.folder / name / "fill.toml")
        return await self.start(f"fill-{name}", name, "oca-fill", "run", "--now", "--json", "--config", config, *sets)

    async def ask(self, url: str) -> Any:
        return json.loads(await self.text_of(url))

    async def text_of(self, url: str) -> str:
        """What steering's host gets to see."""
        connector = aiohttp.TCPConnector(socket_factory=lambda _info: self.network.socket("steering"))
        async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as response:
            return await response.text()

    async def until(self, what: str, holds: Callable[[], Awaitable[bool]]) -> None:
        try:
            await until_told(holds, WAIT_S)
        except TimeoutError:
            pytest.fail(what)

    async def up(self) -> bool:
        rows = (await self.ask(f"{self.steering_url}/v1/fleet"))["appliances"]
        return len(rows) == len(NAMES) and all(row["standing"] in ("up", "turning-up") for row in rows)

    async def stop(self) -> None:
        for process in self.processes.values():
            if process.returncode is None:
                process.terminate()
        for process in self.processes.values():
            await process.communicate()

    def fill_bytes(self, name: str) -> dict[str, bytes]:
        """Every object that an appliance holds."""
        reader = StoreReader.open([self.folder / name / "nvme0"])
        try:
            found = {}
            for path in self.paths:
                entry = reader.find(path.encode())
                opened = reader.pack(entry.device, entry.pack) if entry is not None else None
                if entry is not None and opened is not None:
                    with open(opened.descriptor, "rb", closefd=False) as file:
                        file.seek(entry.offset)
                        found[path] = file.read(entry.bytes)
            return found
        finally:
            reader.close()

    @property
    def paths(self) -> list[str]:
        files = (self.folder / "library").rglob("*.*")
        return sorted(f"/{file.relative_to(self.folder / 'library')}" for file in files)

    @property
    def wanted(self) -> dict[str, bytes]:
        return {path: (self.folder / "library" / path[1:]).read_bytes() for path in self.paths}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    for number in range(FILMS):
        write_film(tmp_path / "library" / f"film-{number}", number)
    network = SiteNetwork([*NAMES, "steering", "origin"])
    origin = Origin(tmp_path / "library", network)
    running = Cluster(tmp_path, origin, network)
    config = ("--config", str(tmp_path / "steering.toml"))
    try:
        network.start()
        await origin.server.start_server()
        running.write_settings()
        for number in range(FILMS):
            film = f"film-{number}"
            await running.command("oca-steering", "publish", str(tmp_path / "library" / film), "--title", film, *config)
        await running.start("steering", "steering", "oca-steering", "serve", *config)
        for name in NAMES:
            await running.start(name, name, "oca", "serve", "--config", str(tmp_path / name / "appliance.toml"))
        await running.until("every appliance is up", running.up)
        await running.command("oca-steering", "plan", "--now", *config)
        yield running
    finally:
        await running.stop()
        await origin.server.close()
        network.stop()


async def test_cluster_takes_each_asset_from_the_origin_once(cluster: Cluster) -> None:
    network = cluster.network
    before = {host: network.sent_bytes(host) for host in network.addresses}
    agents = [await cluster.fill(name) for name in NAMES]
    outcomes = {}
    for name, agent in zip(NAMES, agents, strict=True):
        output, _ = await asyncio.wait_for(agent.communicate(), WAIT_S)
        assert agent.returncode == 0, (cluster.folder / f"fill-{name}.log").read_text()
        outcomes[name] = json.loads(output)
    wanted = cluster.wanted
    assert {path: cluster.origin.sent[path[1:]] for path in wanted} == {
        path: len(body) for path, body in wanted.items()
    }
    from_origin = {name: outcome["bytes_by_source"].get("origin", 0) for name, outcome in outcomes.items()}
    from_peers = {name: outcome["bytes_by_source"].get("peer", 0) for name, outcome in outcomes.items()}
    total = sum(map(len, wanted.values()))
    sent = {host: network.sent_bytes(host) - before[host] for host in network.addresses}
    print(json.dumps({"bytes": total, "from_origin": from_origin, "from_peers": from_peers, "over_links": sent}))
    assert total <= sent["origin"] <= HEADERS_MAX * total, "by the counter of its link, too"
    assert 2 * total <= sum(sent[name] for name in NAMES) <= HEADERS_MAX * 3 * total
    assert sum(from_origin.values()) == total
    assert sum(from_peers.values()) == 2 * total
    assert sum(count > 0 for count in from_origin.values()) > 1, "the masters of different assets are different boxes"
    for name in NAMES:
        assert cluster.fill_bytes(name) == wanted
    metrics = [await cluster.text_of(f"http://{network.addresses[name]}:8088/metrics") for name in NAMES]
    filled = sum(counter(text, "oca_delivery_fill_sent_bytes_total") for text in metrics)
    assert filled == 2 * total, "peers sent it, and counted it apart from what viewers get"


async def test_cluster_finishes_when_a_masters_agent_is_killed(cluster: Cluster) -> None:
    agents = {name: await cluster.fill(name, "--set", "ladder.peer_wait_s=10") for name in NAMES}
    total = sum(map(len, cluster.wanted.values()))
    while cluster.origin.total < total // 4:
        cluster.origin.moved.clear()
        await asyncio.wait_for(cluster.origin.moved.wait(), WAIT_S)
    busy: dict[str, int] = {}

    async def somebody_is_busy() -> bool:  # steering shows the fleet as it was a moment ago
        rows = (await cluster.ask(f"{cluster.steering_url}/v1/fleet"))["appliances"]
        busy.update({row["appliance"]: row["fill"]["bytes_by_source"].get("origin", 0) for row in rows if row["fill"]})
        return any(busy.values())

    await cluster.until("a master tells what it brought", somebody_is_busy)
    victim = max(busy, key=lambda name: busy[name])
    agents[victim].send_signal(signal.SIGKILL)
    for name, agent in agents.items():
        await asyncio.wait_for(agent.communicate(), 2 * WAIT_S)
        assert agent.returncode == (0 if name != victim else -signal.SIGKILL)
    wanted = cluster.wanted
    for name in NAMES:
        if name != victim:
            assert cluster.fill_bytes(name) == wanted


def counter(metrics: str, name: str) -> float:
    return sum(
        float(line.rsplit(" ", 1)[1]) for line in metrics.splitlines() if line.split("{")[0].split(" ")[0] == name
    )
