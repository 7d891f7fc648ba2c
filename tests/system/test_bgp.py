"""Real BIRD in namespaces: an ISP's router announces prefixes to two sites, and viewers are sent as its routes say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from demo.process import Process, stop
from demo.system import COMMANDS
from tests.system.isp import Isp
from tests.unit.steering.made_up import write_package
from tests.waiting import until_told

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]

NET = "127.61.9"
SITES = ("east", "west")
ADDRESSES = dict(zip(SITES, (11, 12), strict=True))
CLIENT, CLIENT_6 = "45.10.1.7", "2a0a:1::7"
PREFIX, PREFIX_6 = "45.10.0.0/16", "2a0a:1::/32"


class Fleet:
    """Origin, steering and an appliance at each of two sites, whose routes come from ``isp``."""

    def __init__(self, folder: Path, isp: Isp, session: aiohttp.ClientSession) -> None:
        self.folder = folder
        self.isp = isp
        self._session = session
        self._processes: dict[str, Process] = {}

    async def start(self) -> None:
        write_package(self.folder / "library" / "harbour")
        self._write_settings()
        origin = ["-m", "demo.origin", "--folder", str(self.folder / "library"), "--listen", f"{NET}.10:8070"]
        self._spawn("origin", [sys.executable, *origin])
        self._spawn("steering", [str(COMMANDS / "oca-steering"), "serve", "--config", str(self.config("steering"))])
        await self._run(
            "oca-steering", "publish", str(self.folder / "library" / "harbour"), "--title", "harbour", config="steering"
        )
        for site in SITES:
            self._spawn(site, [str(COMMANDS / "oca"), "serve", "--config", str(self.config(site))])
        for site in SITES:
            await until_told(partial(self._reports, site))
            await self._run("oca-fill", "run", "--now", config=f"fill-{site}")

    async def stop(self) -> None:
        await stop(list(self._processes.values()))

    def config(self, name: str) -> Path:
        return self.folder / f"{name}.toml"

    async def ask(self, path: str, body: dict[str, str] | None = None) -> Any:
        async with self._session.request("POST" if body else "GET", f"http://{NET}.1:8090{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def order(self, client: str = CLIENT) -> list[str]:
        answer = await self.ask("/v1/playback", {"title": "harbour", "client": client})
        return [way["pathway"] for way in answer["pathways"]]

    async def sent_to(self, *wanted: str, client: str = CLIENT) -> None:
        """Wait until a viewer is sent so."""
        found: list[str] = []

        async def so() -> bool:
            nonlocal found
            found = await self.order(client)
            return found == list(wanted)

        try:
            await until_told(so)
        except TimeoutError:
            pytest.fail(f"{client} is sent to {found}, not {wanted}")

    def command(self, *arguments: str, site: str = "") -> subprocess.CompletedProcess[str]:
        settings = ["--config", str(self.config(site or "steering"))]
        program = "oca" if site else "oca-steering"
        return subprocess.run(
            [str(COMMANDS / program), *arguments, *settings], check=False, capture_output=True, text=True, timeout=30
        )

    async def _reports(self, site: str) -> bool:
        rows = (await self.ask("/v1/fleet"))["appliances"]
        return any(row["appliance"] == f"{site}-a" and row["standing"] in ("up", "turning-up") for row in rows)

    async def _run(self, program: str, *arguments: str, config: str) -> None:
        command = [str(COMMANDS / program), *arguments, "--config", str(self.config(config))]
        process = Process(program, command, self.folder / f"{program}-{config}.log")
        await process.finish(60)

    def _spawn(self, name: str, command: list[str]) -> None:
        self._processes[name] = Process(name, command, self.folder / f"{name}.log")

    def _write_settings(self) -> None:
        sites = "\n".join(
            f'[[site]]\nid = "{site}"\nisp = "metro"\nlatitude = {50 + number}\n[[site.appliance]]\nid = "{site}-a"'
            for number, site in enumerate(SITES)
        )
        self.config("steering").write_text(
            f'[api]\nlisten = "{NET}.1:8090"\n[state]\npath = "{self.folder}/state"\nbytes_max = 67108864\n'
            f'[origin]\nurl = "http://{NET}.10:8070"\n[fleet]\nshed_by_cpu = false\n{sites}\n'
        )
        for site in SITES:
            device = self.folder / f"device-{site}"
            device.mkdir()
            self.config(site).write_text(
                f'[appliance]\nid = "{site}-a"\nsite = "{site}"\n'
                f'[delivery]\nlisten = ["{NET}.{ADDRESSES[site]}:8080"]\nworkers = 1\n'
                f'[admin]\nlisten = "{NET}.{ADDRESSES[site]}:8088"\n'
                f'[store]\ndevices = ["{device}"]\nreserve_ratio = 0.0\n'
                f'[steering]\nurl = "http://{NET}.1:8090"\nreport_interval_s = 0.5\n'
                f'[routes]\nbird_socket = "{self.isp.socket(site)}"\npoll_s = 0.5\n'
            )
            self.config(f"fill-{site}").write_text(f'[box]\nconfig = "{self.config(site)}"\n')


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    folder = tmp_path_factory.mktemp("bgp")
    isp = Isp(folder, SITES)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        made = Fleet(folder, isp, session)
        try:
            isp.start()
            await made.start()
            for site in SITES:
                await isp.established(site)
            yield made
        finally:
            await made.stop()
            isp.stop()


async def test_viewers_are_sent_as_routes_say(fleet: Fleet) -> None:
    assert await fleet.order() == ["origin", "origin-retry"]
    await fleet.isp.announce({"east": {PREFIX: 0, PREFIX_6: 2}, "west": {PREFIX: 2, PREFIX_6: 0}})
    await fleet.sent_to("east-a", "west-a", "origin")
    await fleet.sent_to("west-a", "east-a", "origin", client=CLIENT_6)
    answer = await fleet.ask("/v1/playback", {"title": "harbour", "client": CLIENT})
    assert f"client in its prefix {PREFIX} by BGP, AS path 64500, local-pref 100" in answer["pathways"][0]["why"]
    # Prepended, withdrawn, moved, narrowed.
    await fleet.isp.announce({"east": {PREFIX: 4}})
    await fleet.sent_to("west-a", "east-a", "origin")
    await fleet.sent_to("west-a", "origin", client=CLIENT_6)
    await fleet.isp.announce({"west": {}})
    await fleet.sent_to("east-a", "origin")
    await fleet.sent_to("origin", "origin-retry", client=CLIENT_6)
    await fleet.isp.announce({"east": {}, "west": {PREFIX: 0}})
    await fleet.sent_to("west-a", "origin")
    await fleet.isp.announce({"east": {"45.10.1.0/24": 4}})
    await fleet.sent_to("east-a", "west-a", "origin")
    await fleet.sent_to("west-a", "origin", client="45.10.2.7")


async def test_restart_of_bird_moves_nobody(fleet: Fleet) -> None:
    await fleet.isp.announce({"east": {PREFIX: 0}, "west": {PREFIX: 2}})
    await fleet.sent_to("east-a", "west-a", "origin")
    for place in ("east", "isp"):
        fleet.isp.kill_bird(place)
        seen = [await fleet.order()]

        async def noticed(seen: list[list[str]] = seen) -> bool:
            seen.append(await fleet.order())
            return fleet.command("routes", "audit", site="east").returncode == 1

        await until_told(noticed)
        fleet.isp.start_bird(place)

        async def mended(seen: list[list[str]] = seen) -> bool:
            seen.append(await fleet.order())
            found = json.loads(fleet.command("routes", "show", "--json", site="east").stdout)
            return bool(not found["why"] and found["routes"] == 1 and not found["kept"])

        await fleet.isp.established("east")
        await until_told(mended)
        assert {tuple(ways) for ways in seen} == {("east-a", "west-a", "origin")}


async def test_absurd_claim_steers_nobody_and_is_told_of(fleet: Fleet) -> None:
    await fleet.isp.announce({"east": {"10.0.0.0/8": 0, PREFIX: 0}, "west": {}})
    await fleet.sent_to("east-a", "origin")

    async def heard() -> bool:
        return bool((await fleet.ask("/v1/routes/audit"))["findings"])

    await until_told(heard)
    assert await fleet.order("10.1.2.3") == ["origin", "origin-retry"]
    local = fleet.command("routes", "audit", site="east")
    assert local.returncode == 1
    assert "1 prefixes steer nobody, private space, 10.0.0.0/8: 10.0.0.0/8" in local.stdout
    told = fleet.command("routes", "audit")
    assert (told.returncode, "east-a" in told.stdout, "10.0.0.0/8" in told.stdout) == (1, True, True), told.stderr
    assert fleet.command("routes", "audit", site="west").returncode == 0
