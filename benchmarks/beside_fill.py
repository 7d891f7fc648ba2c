"""What viewers feel of a fill at full rate onto the device that they are served from: a part of ``benchmarks.fill``.

Windows without a fill, with one, and with one that is kept off the worker's core take turns in one run, so that what
else the machine does falls on all. As root, who serves and who asks have real-time priority, so that it falls on none.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from benchmarks import cold
from benchmarks.delivery import servers
from benchmarks.delivery.appliance import appliance, everything
from benchmarks.delivery.material import certify, compile_c
from benchmarks.delivery.servers import LOAD_CORE, SERVER_CORE, Peer
from benchmarks.figures import figure
from benchmarks.steering_double import Steering
from oca.common.digest import digest_hex, revision_of
from oca.common.messages import AssetManifest, FillSource, ObjectDescription, PlannedAsset
from oca.store.store import Store

PORT = 18101
ORIGIN_PORT = PORT + 4
TIMES_BAR = 1.2
SEGMENT_BYTES, SEGMENTS, ASSETS = 2_500_000, 40, 120
SETTLE_S = 1.0
REAL_TIME = os.geteuid() == 0
BEGUN_BYTES = 20_000_000
END_S_MAX = 30.0
PERCENTILES = (
    ("all_p50_us", "p50 to first byte, all", None),
    ("all_p99_us", "p99 to first byte, all", TIMES_BAR),
    ("p50_us", "p50 to first byte from memory", None),
    ("p99_us", "p99 to first byte from memory", TIMES_BAR),
    ("other_p50_us", "p50 to last byte from device", None),
    ("other_p99_us", "p99 to last byte from device", TIMES_BAR),
)
AS_UNIT = ("nice", "-n", "10", "ionice", "-c", "idle")
"""As systemd/oca-fill.service has it."""
METHOD = (
    f"viewers beside a fill: one worker with everything on, on core {SERVER_CORE}; load in C on core {LOAD_CORE}: "
    f"{cold.RATE} requests a second for {cold.HOT_FILES} objects of {cold.HOT_BYTES} bytes in memory, and as many for "
    f"objects of {cold.COLD_BYTES} bytes that have to be read from the device, each asked once; times from when a "
    "request was due, to the first byte of the first kind and the last byte of the other, and to the first of all; "
    "windows without a fill, with 'oca-fill run --now', and with that kept to the load's core, take turns; the fill is "
    f"uncapped, into the same store, of assets of {SEGMENTS} objects of "
    f"{SEGMENT_BYTES} bytes from nginx as its origin, both with the priorities that the unit gives a fill; as root the "
    "worker and the load have real-time priority, so that others on the machine do not count (nor what the fill takes "
    "of the processors: its device and its memory do); ratios are medians over neighbouring windows"
)

KINDS = ("no fill", "beside a fill", "beside a fill on the other core")


class Window(Struct, frozen=True):
    """One window of a kind; the fill's rate is what it brought in meanwhile."""

    kind: str
    fill_bytes_per_s: float
    p50_us: int
    p99_us: int
    other_p50_us: int
    other_p99_us: int
    all_p50_us: int
    all_p99_us: int


def figures_of(windows: Sequence[Window]) -> list[dict[str, Any]]:
    """Percentiles of each kind, their ratios to those without a fill, and how fast the fills were."""
    alone, *others = ([each for each in windows if each.kind == kind] for kind in KINDS)
    figures = []
    for name, beside in zip(KINDS[1:], others, strict=True):
        rate = statistics.median(each.fill_bytes_per_s for each in beside)
        figures.append(figure(f"rate of {name.removeprefix('beside ')}, viewers beside it", rate / 1e6, "MB/s"))
    for what, name, bar in PERCENTILES:
        for kind, found in zip(KINDS, (alone, *others), strict=True):
            value = statistics.median(getattr(each, what) for each in found)
            figures.append(figure(f"viewers' {name}, {kind}", value, "µs"))
        for kind, beside in zip(KINDS[1:], others, strict=True):
            pairs = zip(alone, beside, strict=True)
            times = statistics.median(getattr(with_it, what) / max(1, getattr(none, what)) for none, with_it in pairs)
            figures.append(figure(f"viewers' {name}, {kind} ÷ without", times, "times", bar=bar))
    return figures


def write_source(folder: Path) -> list[AssetManifest]:
    """What the origin serves: one asset's files under many assets' names; their manifests."""
    base = folder / "www" / "base"
    base.mkdir(parents=True)
    described = []
    for number in range(SEGMENTS):
        body = os.urandom(SEGMENT_BYTES)
        (base / f"{number:03}.m4s").write_bytes(body)
        described.append(digest_hex(body))
    manifests = []
    for number in range(ASSETS):
        asset = f"fill-{number}/video"
        (folder / "www" / f"fill-{number}").mkdir()
        (folder / "www" / asset).symlink_to(base)
        objects = [
            ObjectDescription(
                path=f"/{asset}/{item:03}.m4s", bytes=SEGMENT_BYTES, digest=digest, media_type="video/mp4"
            )
            for item, digest in enumerate(described)
        ]
        manifests.append(
            AssetManifest(
                asset=asset,
                revision=revision_of([(entry.path, entry.digest) for entry in objects]),
                bytes=SEGMENT_BYTES * SEGMENTS,
                modified_at_ns=1,
                objects=objects,
                sources=[FillSource(kind="origin", url=f"http://{servers.ADDRESS}:{ORIGIN_PORT}")],
            )
        )
    return manifests


def origin_of(folder: Path) -> str:
    """The origin's part of nginx. It stands for another machine: in small steps, so that no system call of it holds a
    core of this one for long.
    """
    return f"server {{ listen {servers.ADDRESS}:{ORIGIN_PORT}; root {folder}/www; sendfile_max_chunk 64k; }}\n"


class Fill:
    """A fill that can be begun and ended."""

    def __init__(self, folder: Path, device: Path) -> None:
        self._folder = folder
        self._device = device

    def arrived_bytes(self) -> int:
        """What the fill has brought so far."""
        parts = [*(self._device / "staging").iterdir(), *(self._device / "packs").iterdir()]
        return sum(size_of(part) for part in parts)

    @contextlib.asynccontextmanager
    async def at_work(self, *, apart: bool) -> AsyncIterator[None]:
        """At full rate within the body, ``apart`` from the worker's core or wherever there is room; what it brought is
        gone afterwards.
        """
        before = self.arrived_bytes()
        process = await asyncio.create_subprocess_exec(
            *(("taskset", "-c", str(LOAD_CORE)) if apart else ()),
            *AS_UNIT,
            *(sys.executable, "-c", "from fill.cli import main; main()", "run", "--now"),
            *("--config", str(self._folder / "fill.toml")),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            while self.arrived_bytes() < before + BEGUN_BYTES:
                if process.returncode is not None:
                    raise SystemExit(f"the fill ended with {process.returncode} before it began")
                await asyncio.sleep(0.05)
            yield
            if process.returncode is not None:
                raise SystemExit("the fill ended before its window did; make it larger")
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            async with asyncio.timeout(END_S_MAX):
                await process.wait()
            store = Store.open([self._device], reserve_ratio=0.0)
            store.discard_staging(set())
            for held in store.assets():
                if held.asset.startswith("fill-"):
                    store.evict(held.asset)
            store.close()
            os.sync()
            await asyncio.sleep(SETTLE_S)


def size_of(path: Path) -> int:
    """Length of a file, 0 once it is gone."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def put_first(pids: Sequence[int]) -> None:
    """Give every thread of these processes real-time priority; those to come inherit it."""
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setscheduler(int(task.name), os.SCHED_FIFO, os.sched_param(1))


async def window(folder: Path, program: Path, peer: Peer, fill: Fill, seconds: int, *, kind: str) -> Window:
    """One window."""
    hot, others = cold.lists(seconds)
    cold.drop(folder)
    await cold.load(program, peer, 1, (hot, hot), real_time=REAL_TIME)
    async with contextlib.nullcontext() if kind == KINDS[0] else fill.at_work(apart=kind == KINDS[2]):
        before, began_s = fill.arrived_bytes(), asyncio.get_running_loop().time()
        told = await cold.load(program, peer, seconds, (hot, others), real_time=REAL_TIME)
        rate = (fill.arrived_bytes() - before) / (asyncio.get_running_loop().time() - began_s)
    result = Window(kind, rate, *(told[key] for key in Window.__struct_fields__[2:]))
    print(structs.asdict(result), file=sys.stderr, flush=True)
    return result


async def measure(folder: Path, *, pairs: int, seconds: int) -> list[Window]:
    """Every window, in turns."""
    viewers = folder / "viewers"
    viewers.mkdir()
    device = cold.prepare(viewers, seconds * cold.RATE)
    certify(folder)
    program = compile_c(folder, "cold")
    steering = Steering(servers.ADDRESS)
    await steering.server.start_server()
    manifests = write_source(folder)
    steering.manifests = {each.asset: each for each in manifests}
    steering.offer(
        [
            PlannedAsset(asset=each.asset, revision=each.revision, bytes=each.bytes, popularity=1.0, why="popular")
            for each in manifests
        ]
    )
    (folder / "appliance.toml").write_text(
        f'[appliance]\nid = "fra1-a"\nsite = "fra1"\n[store]\ndevices = ["{device}"]\nreserve_ratio = 0.0\n'
        f'[steering]\nurl = "http://{servers.ADDRESS}:{steering.server.port}"\n[admin]\n'
        f'listen = "{servers.ADDRESS}:9"\n'
    )
    (folder / "fill.toml").write_text(f"[busy]\nserving_bytes_per_s_min = {2**40}\n")
    windows: list[Window] = []
    async with contextlib.AsyncExitStack() as stack:
        ours = await stack.enter_async_context(appliance("ours", device, everything(PORT, folder)))
        if REAL_TIME:
            put_first(ours.pids)
        origin, *_ = await stack.enter_async_context(servers.nginx(folder, PORT + 1, origin_of(folder)))
        for pid in origin.pids:
            os.sched_setaffinity(pid, {SERVER_CORE, LOAD_CORE})
            os.setpriority(os.PRIO_PROCESS, pid, 10)
        fill = Fill(folder, device)
        for number in range(pairs):
            turn = (*KINDS[number % 3 :], *KINDS[: number % 3])
            windows += [await window(viewers, program, ours, fill, seconds, kind=kind) for kind in turn]
    await steering.server.close()
    return windows
