"""A fill killed with SIGKILL at ten moments ends with a store that verifies; an object and a step a kill are refetched.

The origin counts the bytes it hands to the network for each object. What it sends twice is what the kernel had taken
from it and the agent had not written when it was killed: less than the object that was on its way, and what the agent
gathers before it writes. With several assets side by side there is as much for each.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from fill.tables import FillTable
from oca.common.messages import (
    FillProgress,
)
from oca.store.reader import StoreReader
from oca.store.tail import STEP_BYTES
from tests.provider import Provider, begin_body

pytestmark = pytest.mark.system

SEED = int(os.environ.get("SEED") or secrets.randbits(32))
"""Where the kills strike: new in every run, printed when the test fails; `make test SEED=…` strikes there again."""
KILLS = 10
ASSETS = 3
OBJECTS = 24
OBJECT_BYTES = 400_000
PIECE_BYTES = 16_384
RATE_BYTES_PER_S = 12_000_000
STRIKE_S_MAX = 0.05


class Counting(Provider):
    """Counts bytes per object as they are sent."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        super().__init__("127.0.0.1")
        self.bodies = bodies
        self.sent: Counter[str] = Counter()
        self.ranged = 0
        self.moved = asyncio.Event()
        self.held = ""
        self.holding, self.released = asyncio.Event(), asyncio.Event()

    @property
    def total(self) -> int:
        return sum(self.sent.values())

    async def reach(self, count: int) -> None:
        """Wait until so many bytes have been sent in all."""
        while self.total < count:
            self.moved.clear()
            await self.moved.wait()

    def assets(self) -> list[str]:
        return sorted({path[1:].rpartition("/")[0] for path in self.bodies})

    def objects(self, asset: str) -> dict[str, bytes]:
        return {path: body for path, body in self.bodies.items() if path.startswith(f"/{asset}/")}

    async def send(self, request: web.Request) -> web.StreamResponse:
        body = self.bodies[request.path]
        start = request.http_range.start or 0
        self.ranged += start > 0
        response = await begin_body(request, len(body), start)
        for place in range(start, len(body), PIECE_BYTES):
            piece = body[place : place + PIECE_BYTES]
            if self.held and request.path.endswith(self.held) and place > len(body) / 2:
                self.holding.set()
                await self.released.wait()
            try:
                await response.write(piece)
            except ConnectionError:
                break
            self.sent[request.path] += len(piece)
            self.moved.set()
        return response


@pytest.fixture
async def provider() -> AsyncIterator[Counting]:
    source = random.Random(SEED)
    bodies = {
        f"/harbour/video-{asset}/seg-{number:05d}.m4s": source.randbytes(OBJECT_BYTES + source.randrange(5000))
        for asset in range(ASSETS)
        for number in range(OBJECTS)
    }
    running = Counting(bodies)
    await running.server.start_server(shutdown_timeout=0.1)
    yield running
    await running.server.close()


def write_settings(folder: Path, provider: Counting, parallel: int) -> Path:
    (folder / "nvme0").mkdir()
    (folder / "appliance.toml").write_text(
        f'[appliance]\nid = "fra1-a"\nsite = "fra1"\n[store]\ndevices = ["{folder / "nvme0"}"]\n'
        f'device_bytes_max = 1000000000\nreserve_ratio = 0.0\n[steering]\nurl = "{provider.url}"\n'
    )
    (folder / "fill.toml").write_text(
        f"[fill]\nparallel_assets = {parallel}\nrate_bytes_per_s_max = {RATE_BYTES_PER_S}\nprogress_interval_s = 0.1\n"
    )
    return folder / "fill.toml"


async def start_fill(config: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from fill.cli import main; main()",
        *("run", "--config", str(config), "--now", "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


async def test_fill_killed_while_an_object_comes_goes_on_inside_one(provider: Counting, tmp_path: Path) -> None:
    """The source stops amid the fourth object: two steps are written by then, the second of which ends in the third."""
    config = write_settings(tmp_path, provider, 1)
    provider.held = "seg-00003.m4s"
    for wait_s in (0.5, 1, 2, 4, 8):  # until it has written them
        process = await start_fill(config)
        await asyncio.wait_for(provider.holding.wait(), 60)
        if provider.ranged:
            break
        await asyncio.sleep(wait_s)
        process.send_signal(signal.SIGKILL)
        await process.communicate()
        provider.holding.clear()
    provider.released.set()
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert msgspec.json.decode(output, type=FillProgress).state == "done"
    assert provider.ranged
    check_store(tmp_path / "nvme0", provider)


@pytest.mark.parametrize("parallel", [FillTable().parallel_assets, ASSETS])
async def test_fill_killed_ten_times_refetches_at_most_object_and_step_a_kill(
    provider: Counting, tmp_path: Path, parallel: int
) -> None:
    config = write_settings(tmp_path, provider, parallel)
    bytes_total = sum(map(len, provider.bodies.values()))
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    for _ in range(KILLS):
        process = await start_fill(config)
        # Each moment lies well before the fill's end, so that every kill hits a fill at work.
        moment = provider.total + chance.randrange(PIECE_BYTES, bytes_total // (KILLS + 2))
        reaching = asyncio.get_running_loop().create_task(provider.reach(moment))
        ended = asyncio.get_running_loop().create_task(process.wait())
        await asyncio.wait({reaching, ended}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
        assert not ended.done(), "the fill ended before it could be killed"
        assert reaching.done(), "the fill made no progress"
        # The source is ahead by what the kernel buffers: strike anywhere in what the agent makes of that meanwhile.
        await asyncio.wait({ended}, timeout=chance.random() * STRIKE_S_MAX)
        process.send_signal(signal.SIGKILL)
        assert await ended == -signal.SIGKILL
        await process.communicate()

    process = await start_fill(config)
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert msgspec.json.decode(output, type=FillProgress).state == "done"

    refetched = {path: provider.sent[path] - len(body) for path, body in provider.bodies.items()}
    overlong = {path: extra for path, extra in refetched.items() if extra > 0}
    figures = {
        "bytes": bytes_total,
        "sent": provider.total,
        "refetched": sum(overlong.values()),
        "ranged": provider.ranged,
    }
    print(json.dumps(figures))
    assert min(refetched.values()) >= 0, "every object came from the origin whole"
    most = max(map(len, provider.bodies.values())) + STEP_BYTES
    assert sum(overlong.values()) <= KILLS * parallel * most, overlong
    assert provider.progress[-1].state == "done"
    assert provider.progress[-1].bytes_done == provider.progress[-1].bytes_total
    check_store(tmp_path / "nvme0", provider)


def check_store(device: Path, provider: Counting) -> None:
    """Every object is served with the origin's bytes, and nothing lies around in staging."""
    reader = StoreReader.open([device])
    try:
        for path, body in provider.bodies.items():
            found = reader.find(path.encode())
            assert found is not None, path
            opened = reader.pack(found.device, found.pack)
            assert opened is not None
            with open(opened.descriptor, "rb", closefd=False) as file:
                file.seek(found.offset)
                assert file.read(found.bytes) == body, path
    finally:
        reader.close()
    assert list((device / "staging").iterdir()) == []
    assert len(list((device / "packs").iterdir())) == ASSETS
