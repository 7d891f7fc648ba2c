"""Kill a fill with SIGKILL, 500 times unless told otherwise, and write down what came of it: `make kills`.

A real agent fills a real store from an origin over loopback, round after round, each round other assets than before, so
that the last one's give way. It is killed at random moments: while it starts, fetches, commits, evicts. After each kill
every object that the index names is read as delivery reads it; then the store is opened as the next fill opens it, and
everything that takes space in it must be a pack that the index names or a part that the plan names.

What a kill costs is what had reached the box's kernel of an object beyond the byte at which the next run asks for it.
What still stood in the origin's own queue then never travelled; with it the figure is told, too. Each run is added to
outcome.json.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import platform
import random
import secrets
import signal
import sys
import tempfile
import termios
from pathlib import Path

from aiohttp import web

from oca.store.reader import StoreReader
from tests.leaks import leaked_bytes
from tests.provider import Provider, begin_body

KILLS = int(os.environ.get("KILLS") or 500)
SEED = int(os.environ.get("SEED") or secrets.randbits(32))
OUTCOME = Path(__file__).with_name("outcome.json")
ADDRESS = "127.0.73.20"
OBJECT_BYTES = (9_000_000, 2_000_000, 400_000, 12_000_000, 5)
ASSETS = 3
DEVICE_BYTES = 110_000_000
RATE_BYTES_PER_S = 40_000_000
PIECE_BYTES = 65_536
STRIKE_S_MAX = 0.9
REFETCHED_BYTES_MAX = 8 * 2**20


class Rounds(Provider):
    """One round after the other; it knows how far it sent each object."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__(ADDRESS)
        self.bodies = [dice.randbytes(size) for size in OBJECT_BYTES]
        self.round = 0
        self.sent_to: dict[str, int] = {}
        self.asked = asyncio.Event()
        self.arrived_to: dict[str, int] = {}
        self.costs: list[int] = []
        self.costs_with_queue: list[int] = []
        self.done = False

    def assets(self) -> list[str]:
        return [f"round-{self.round}/video-{number}" for number in range(ASSETS)]

    def body(self, path: str) -> bytes:
        return self.bodies[int(path.rpartition("-")[2])]

    def objects(self, asset: str) -> dict[str, bytes]:
        return {f"/{asset}/seg-{number}": body for number, body in enumerate(self.bodies)}

    async def send(self, request: web.Request) -> web.StreamResponse:
        body = self.body(request.path)
        start = request.http_range.start or 0
        self.costs.append(max(0, self.arrived_to.get(request.path, 0) - start))
        self.costs_with_queue.append(max(0, self.sent_to.get(request.path, 0) - start))
        response = await begin_body(request, len(body), start)
        self.asked.set()
        for place in range(start, len(body), PIECE_BYTES):
            try:
                await response.write(body[place : place + PIECE_BYTES])
            except ConnectionError:
                break
            self.sent_to[request.path] = min(place + PIECE_BYTES, len(body))
            arrived = self.sent_to[request.path] - queued_bytes(request)
            self.arrived_to[request.path] = max(arrived, self.arrived_to.get(request.path, 0))
        return response


def queued_bytes(request: web.Request) -> int:
    """What was written to a connection and has not reached the other side's kernel yet; all of it once that is gone."""
    transport = request.transport
    if not isinstance(transport, asyncio.Transport) or transport.is_closing():
        return max(OBJECT_BYTES)
    waiting = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    return transport.get_write_buffer_size() + int.from_bytes(waiting, "little")


def write_settings(folder: Path, provider: Rounds) -> Path:
    """The settings of a box with one small device."""
    (folder / "nvme0").mkdir()
    (folder / "appliance.toml").write_text(
        f'[appliance]\nid = "fra1-a"\nsite = "fra1"\n[store]\ndevices = ["{folder / "nvme0"}"]\n'
        f"device_bytes_max = {DEVICE_BYTES}\nreserve_ratio = 0.0\n"
        f'[steering]\nurl = "http://{ADDRESS}:{provider.server.port}"\n[admin]\nlisten = "{ADDRESS}:9"\n'
    )
    (folder / "fill.toml").write_text(f"[fill]\nrate_bytes_per_s_max = {RATE_BYTES_PER_S}\n")
    return folder / "fill.toml"


def wrong_objects(device: Path, provider: Rounds) -> list[str]:
    """Objects that would be served with other bytes than the origin's, or not at all though the index names them."""
    reader = StoreReader.open([device])
    try:
        wrong = []
        for round_number in (provider.round, provider.round - 1):
            for asset in range(ASSETS):
                for number, body in enumerate(provider.bodies):
                    path = f"/round-{round_number}/video-{asset}/seg-{number}"
                    found = reader.find(path.encode())
                    opened = reader.pack(found.device, found.pack) if found is not None else None
                    if found is None or opened is None:
                        continue
                    with open(opened.descriptor, "rb", closefd=False) as file:
                        file.seek(found.offset)
                        if file.read(found.bytes) != body:
                            wrong.append(path)
        return wrong
    finally:
        reader.close()


async def strike(config: Path, provider: Rounds, dice: random.Random) -> bool:
    """Start a fill and kill it; whether it was at work still."""
    provider.asked.clear()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from fill.cli import main; main()", "run", "--now", "--config", str(config)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    asked = asyncio.get_running_loop().create_task(provider.asked.wait())
    ended = asyncio.get_running_loop().create_task(process.wait())
    if dice.random() < 0.9:  # else it dies while it starts, opens the store, asks for its plan
        await asyncio.wait({asked, ended}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
    await asyncio.wait({ended}, timeout=dice.random() * STRIKE_S_MAX)
    asked.cancel()
    at_work = not ended.done()
    if at_work:
        process.send_signal(signal.SIGKILL)
    elif await ended != 0:
        raise RuntimeError(f"a fill failed with exit code {await ended}")
    await ended
    return at_work


async def run() -> int:
    """Kill, look, record."""
    dice = random.Random(SEED)
    provider = Rounds(dice)
    await provider.server.start_server()
    kills = leaked = rounds = 0
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="oca-kills-") as folder:
        config = write_settings(Path(folder), provider)
        device = Path(folder) / "nvme0"
        while kills < KILLS:
            if await strike(config, provider, dice):
                kills += 1
            else:
                rounds += 1
                provider.round += 1
            wrong += wrong_objects(device, provider)
            planned = map(provider.manifest, provider.assets())
            leaked += leaked_bytes([device], planned, device_bytes_max=DEVICE_BYTES)
            if kills % 25 == 0:
                print(f"{kills} kills, {rounds} fills ended, {len(wrong)} wrong, {leaked} bytes leaked", flush=True)
    await provider.server.close()
    costs = [cost for cost in provider.costs if cost]
    outcome = {
        "seed": SEED,
        "kills": kills,
        "fills_ended": rounds,
        "wrong_objects": len(wrong),
        "leaked_bytes": leaked,
        "kills_that_cost_bytes": len(costs),
        "refetched_bytes_most": max(costs, default=0),
        "refetched_bytes_mean": round(sum(costs) / max(1, kills)),
        "refetched_bytes_most_with_origins_queue": max(provider.costs_with_queue, default=0),
        "python": platform.python_version(),
    }
    before = json.loads(OUTCOME.read_text())["runs"] if OUTCOME.exists() else []
    OUTCOME.write_text(json.dumps({"runs": [*before, outcome]}, indent=1) + "\n")
    print(json.dumps(outcome, indent=1))
    return 1 if wrong or leaked or max(costs, default=0) > REFETCHED_BYTES_MAX else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(run()))
