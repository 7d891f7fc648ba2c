"""A device hangs while it is filled: viewers of the others notice nothing, and the next fill leaves it out."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from aiohttp import web

from oca.common.digest import digest_hex
from oca.store.importing import describe_folder, import_folder
from oca.store.store import Store
from tests.provider import Provider, begin_body
from tests.system.test_device_faults import Box, shim
from tests.system.test_serve import HOST
from tests.waiting import wait_until

__all__ = ["shim"]
pytestmark = [pytest.mark.system, pytest.mark.long]

OBJECTS, OBJECT_BYTES = 8, 1_000_000
DEVICE_BYTES = 20_000_000
RATE_BYTES_PER_S = 2_000_000


class Late(Provider):
    """One asset, of an origin that sends it whole."""

    def __init__(self) -> None:
        super().__init__(HOST)
        source = random.Random(1)
        self.bodies = {f"/late/seg-{number}.m4s": source.randbytes(OBJECT_BYTES) for number in range(OBJECTS)}

    def assets(self) -> Sequence[str]:
        return ["late/video"]

    def objects(self, asset: str) -> Mapping[str, bytes]:
        return self.bodies

    async def send(self, request: web.Request) -> web.StreamResponse:
        body, start = self.bodies[request.path], request.http_range.start or 0
        response = await begin_body(request, len(body), start)
        await response.write(body[start:])
        return response


async def start_fill(box: Box) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from fill.cli import main; main()", "run", "--now"),
        *("--config", str(box.folder / "fill.toml")),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        env=box.environment,
    )


async def until(holds: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, holds)


async def test_fill_hangs_with_its_device_and_the_next_one_leaves_that_out(tmp_path: Path, shim: Path) -> None:
    box = Box(tmp_path, shim)
    box.load()
    source = tmp_path / "more"
    source.mkdir()
    (source / "1.m4s").write_bytes(os.urandom(2 * OBJECT_BYTES))
    store = Store.open([box.devices[1]])  # so that the other device has more room
    import_folder(store, *describe_folder(source, asset="more/v", mount="/more"))
    store.close()
    provider = Late()
    await provider.server.start_server()
    settings = box.config.read_text()
    (tmp_path / "filled.toml").write_text(
        settings.replace("[store]", f'[steering]\nurl = "{provider.url}"\n[store]\ndevice_bytes_max = {DEVICE_BYTES}')
    )
    (tmp_path / "fill.toml").write_text(
        f'[box]\nconfig = "filled.toml"\n[fill]\nrate_bytes_per_s_max = {RATE_BYTES_PER_S}\n'
    )
    staging = box.devices[0] / "staging"
    with box.serving():
        hanging = await start_fill(box)
        try:
            await until(lambda: any(part.stat().st_size > OBJECT_BYTES for part in staging.iterdir()))
            box.fail("hang")
            assert await asyncio.to_thread(box.get, 1) == 200
            await asyncio.to_thread(box.get, 0)
            await until(box.is_out)
            assert await asyncio.to_thread(box.get, 1) == 200
            assert hanging.returncode is None, "it waits until the kernel gives up, or somebody ends it"
        finally:
            hanging.kill()
            await hanging.communicate()
        following = await start_fill(box)
        _, said = await following.communicate()
        assert following.returncode == 0, said.decode()
        assert b"device left out" in said
        for path, body in provider.bodies.items():
            assert await asyncio.to_thread(digest_of, box, path) == digest_hex(body)
        box.mend()
    await provider.server.close()


def digest_of(box: Box, path: str) -> str:
    with urllib.request.urlopen(f"http://{HOST}:{box.delivery}{path}", timeout=10) as answer:
        return digest_hex(answer.read())
