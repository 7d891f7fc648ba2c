"""A small world of one steering, one appliance and an origin, all real, in a folder that can be packed and moved."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from steering.state.embedded import EmbeddedState
from tests.unit.steering.made_up import write_package
from tests.waiting import WAIT_S, until_told

STEERING, BOX, ADMIN, ORIGIN = "127.0.76.1:8090", "127.0.76.2:8080", "127.0.76.2:8088", "127.0.76.3:8070"
SEGMENT_BYTES = 20_000
STATE_BYTES_MAX = 50_000_000
_SCRIPTS = {"oca": "oca.cli", "oca-fill": "fill.cli", "oca-steering": "steering.cli"}


class World:
    """Everything under ``folder``; settings name places relative to theirs, so that it can be moved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.library = folder / "library"
        self.configs = {
            "oca-steering": folder / "steering" / "steering.toml",
            "oca": folder / "box" / "appliance.toml",
            "oca-fill": folder / "box" / "fill.toml",
        }

    def write_films(self) -> None:
        """The provider's film, the same each time."""
        dice = random.Random(7)
        write_package(self.library / "harbour", mpd=None)
        for segment in sorted((self.library / "harbour").glob("seg-*")):
            segment.write_bytes(dice.randbytes(SEGMENT_BYTES))

    def write_settings(self) -> None:
        """As an operator of this version would."""
        (self.folder / "box" / "nvme0").mkdir(parents=True)
        (self.folder / "steering").mkdir()
        self.configs["oca-steering"].write_text(
            f'[api]\nlisten = "{STEERING}"\n[state]\npath = "state"\nbytes_max = {STATE_BYTES_MAX}\n'
            f'[origin]\nurl = "http://{ORIGIN}"\n[signing]\nmode = "required"\n'
            '[[site]]\nid = "metro"\nprefixes = ["127.0.0.0/8"]\n[[site.appliance]]\nid = "metro-a"\n'
        )
        self.configs["oca"].write_text(
            '[appliance]\nid = "metro-a"\nsite = "metro"\n[store]\ndevices = ["nvme0"]\nreserve_ratio = 0.0\n'
            f'device_bytes_max = 50000000\n[steering]\nurl = "http://{STEERING}"\nreport_interval_s = 0.2\n'
            f'[delivery]\nlisten = ["{BOX}"]\nworkers = 1\ndrain_s = 1\n[admin]\nlisten = "{ADMIN}"\n'
        )
        self.configs["oca-fill"].write_text("[fill]\nprogress_interval_s = 0.2\n")

    @property
    def bodies(self) -> dict[str, bytes]:
        """What is to be served, by path."""
        files = sorted(path for path in self.library.rglob("*") if path.is_file())
        return {f"/{path.relative_to(self.library)}": path.read_bytes() for path in files}

    @property
    def film_bytes(self) -> int:
        """Bytes of all that is to be served."""
        return sum(map(len, self.bodies.values()))

    @asynccontextmanager
    async def origin(self) -> AsyncIterator[list[str]]:
        """The provider's origin; gives the paths that it was asked for."""
        asked: list[str] = []

        async def send(request: web.Request) -> web.StreamResponse:
            asked.append(request.path)
            return web.FileResponse(self.library / request.match_info["path"])

        application = web.Application()
        application.router.add_get("/{path:.+}", send)
        host, _, port = ORIGIN.rpartition(":")
        async with TestServer(application, host=host, port=int(port)):
            yield asked

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Steering and the appliance, from the first answer on."""
        processes = [await self.start(program, "serve") for program in ("oca-steering", "oca")]
        try:
            yield
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in reversed(processes):
                said, _ = await process.communicate()
                assert process.returncode == 0, said.decode()

    async def command(self, program: str, *arguments: str) -> str:
        """What one command prints; it has to succeed."""
        process = await self.start(program, *arguments)
        said, _ = await asyncio.wait_for(process.communicate(), WAIT_S)
        assert process.returncode == 0, said.decode()
        return said.decode()

    async def watch(self) -> dict[str, bytes]:
        """Ask the appliance for all of the film, as players do, with the tokens that steering gives."""
        got = {}
        async with aiohttp.ClientSession() as session:
            for path in self.bodies:
                async with session.get(f"http://{BOX}{await self.signed(path)}") as response:
                    assert response.status == 200, (path, response.status)
                    got[path] = await response.read()
        return got

    async def signed(self, path: str) -> str:
        """Path of an object with the token that steering gives for its film; empty where the appliance has it not."""
        answer = await self.post("/v1/playback", {"title": "harbour"})
        urls = [url for each in answer["assets"].values() for url in each if url.startswith(f"http://{BOX}/t/")]
        return f"/t/{urls[0].split('/')[4]}{path}" if urls else ""

    async def until_held(self) -> None:
        """Until steering sends viewers to the appliance."""

        async def held() -> bool:
            return bool(await self.signed(""))

        await until_told(held)

    async def until_up(self) -> None:
        """Until steering has the appliance among those that serve."""

        async def up() -> bool:
            rows = (await self.get("/v1/fleet"))["appliances"]
            return [row["standing"] for row in rows] == ["up"]

        await until_told(up)

    async def until_demand_is(self, total_bytes: int) -> None:
        """Until steering has taken in so much demand in all, since the beginning."""

        async def taken() -> bool:
            history = json.loads(await self.command("oca-steering", "history", "--json"))
            return self.demand_in_state() + sum(int(day["bytes"]) for day in history["days"]) == total_bytes

        await until_told(taken)

    def demand_in_state(self) -> int:
        """Bytes that viewers had, of which the state tells; hours that are over may lie in files."""
        state = EmbeddedState.open(self.folder / "steering" / "state", bytes_max=STATE_BYTES_MAX)
        try:
            return sum(int(msgspec.msgpack.decode(pair)[1]) for _, pair in state.scan("demand/"))
        finally:
            state.close()

    async def get(self, path: str) -> Any:
        """Steering's answer."""
        async with aiohttp.ClientSession() as session, session.get(f"http://{STEERING}{path}") as response:
            return await response.json()

    async def post(self, path: str, body: object) -> Any:
        """Steering's answer."""
        async with aiohttp.ClientSession() as session, session.post(f"http://{STEERING}{path}", json=body) as response:
            return await response.json()

    async def start(self, program: str, *arguments: str) -> asyncio.subprocess.Process:
        """One of our programs with its settings."""
        config = self.configs[program]
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", f"from {_SCRIPTS[program]} import main; main()", *arguments),
            *("--config", str(config)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=config.parent,
        )
