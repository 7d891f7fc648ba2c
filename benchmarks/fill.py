"""A fill from one local peer beside curl to the same disk, and the agent's memory: ``python -m benchmarks.fill``.

Peer and agent are real processes; steering is a double in this one, which says what a plan says.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import uvloop
from msgspec import Struct

from benchmarks import beside_fill
from benchmarks.delivery.__main__ import missing
from benchmarks.figures import figure, holds, machine, show, write
from benchmarks.steering_double import Steering, revision_of_empty
from oca.common.log import configure_logging
from oca.common.messages import AssetManifest, FillSource, PlannedAsset
from oca.store.importing import describe_folder, import_folder
from oca.store.store import Store

ADDRESS = "127.0.73.40"
PEER_PORT = 18090
PEER_CORE, CLIENT_CORE = 0, 1
OBJECT_BYTES = 2_500_000
ASSET = "film/video"
CURL_TIMES_BAR = 1.25
"""The bar is a throughput of at least 0.8 of curl's: times are its inverse."""
MEMORY_BAR_BYTES = 150_000_000
LARGE_PLAN = 100_000
LARGE_COMMITS = 100
METHOD = (
    f"an appliance (one worker, core {PEER_CORE}) holds an asset of objects of {OBJECT_BYTES} bytes, in memory; "
    f"on core {CLIENT_CORE} in turns: curl fetches all of them over one connection into files and has them synced; "
    "oca-fill run --now fetches the asset, checks each digest, syncs and commits; medians of the runs; time: of curl "
    "from its start to the end of the sync, of the fill from its start to its end as it tells them (its process is up "
    "by then); CPU: of the process and what it waited for, of the fill less that of a run with nothing to do; memory: "
    f"the agent's largest resident set while it takes a plan of {LARGE_PLAN} assets, diffs it and fills the first "
    f"{LARGE_COMMITS}"
)


class Run(Struct, frozen=True):
    """One client's run."""

    client: str
    wall_s: float
    cpu_s: float


@asynccontextmanager
async def peer(folder: Path, megabytes: int) -> AsyncIterator[AssetManifest]:
    """An appliance that holds the asset; its manifest, with the appliance as source."""
    source = folder / "source"
    source.mkdir()
    (folder / "peer").mkdir()
    for number in range(megabytes * 1_000_000 // OBJECT_BYTES):
        (source / f"seg-{number:04}.m4s").write_bytes(os.urandom(OBJECT_BYTES))
    store = Store.open([folder / "peer"], reserve_ratio=0.0)
    manifest, found = describe_folder(source, asset=ASSET, mount="/film")
    import_folder(store, manifest, found)
    store.close()
    (folder / "peer.toml").write_text(
        f'[appliance]\nid = "fra1-b"\nsite = "fra1"\n[store]\ndevices = ["{folder / "peer"}"]\nreserve_ratio = 0.0\n'
        f'[delivery]\nlisten = ["{ADDRESS}:{PEER_PORT}"]\nworkers = 1\n[admin]\nlisten = "{ADDRESS}:18091"\n'
    )
    url = f"http://{ADDRESS}:{PEER_PORT}"
    serving = await asyncio.create_subprocess_exec(
        *("taskset", "-c", str(PEER_CORE), sys.executable, "-c", "from oca.cli import main; main()"),
        *("serve", "--config", str(folder / "peer.toml")),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60), aiohttp.ClientSession() as session:
            for entry in manifest.objects:  # wait for it, and have all of it in memory
                while not await _got(session, url + entry.path):  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
        yield msgspec.structs.replace(manifest, sources=[FillSource(kind="peer", url=url, appliance="fra1-b")])
    finally:
        serving.terminate()
        await serving.wait()


async def _got(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            await response.read()
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def timed(*command: str) -> tuple[str, float, float]:
    """Run a command on the clients' core: its output, seconds, and CPU seconds of it and its children."""
    before, started_s = resource.getrusage(resource.RUSAGE_CHILDREN), asyncio.get_running_loop().time()
    process = await asyncio.create_subprocess_exec(
        *("taskset", "-c", str(CLIENT_CORE), *command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    wall_s = asyncio.get_running_loop().time() - started_s
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(f"{command[0]} failed: {errors.decode()[-2000:]}")
    return output.decode(), wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


async def curl(folder: Path, manifest: AssetManifest) -> Run:
    """Fetch every object into a file, and sync them."""
    target = folder / "curl"
    target.mkdir()
    url = manifest.sources[0].url
    lines = [f'url = "{url}{entry.path}"\noutput = "{target / Path(entry.path).name}"' for entry in manifest.objects]
    (folder / "curl.config").write_text("\n".join(lines))
    _, wall_s, cpu_s = await timed("sh", "-c", f"curl -sS -K {folder / 'curl.config'} && sync {target}/*")
    got = sum(file.stat().st_size for file in target.iterdir())
    shutil.rmtree(target)
    if got != manifest.bytes:
        raise SystemExit(f"curl got {got} bytes of {manifest.bytes}")
    return Run("curl", wall_s, cpu_s)


def fill_command(folder: Path) -> list[str]:
    """The agent, for its own box."""
    config = str(folder / "fill.toml")
    return [sys.executable, "-c", "from fill.cli import main; main()", "run", "--now", "--json", "--config", config]


async def fill(folder: Path) -> Run:
    """Fill the asset into an empty store."""
    shutil.rmtree(folder / "nvme0", ignore_errors=True)
    (folder / "nvme0").mkdir()
    output, _, cpu_s = await timed(*fill_command(folder))
    told = json.loads(output)
    _, _, idle_s = await timed(*fill_command(folder))
    return Run("oca-fill", (told["updated_at_ns"] - told["started_at_ns"]) / 1e9, cpu_s - idle_s)


async def memory(folder: Path, steering: Steering) -> int:
    """The agent's largest resident set with a large plan, in bytes."""
    shutil.rmtree(folder / "nvme0", ignore_errors=True)
    (folder / "nvme0").mkdir()
    why = "1.2 GiB a day expected here, 310.4 MiB by the fleet's taste, over 812.5 MiB"
    steering.offer(
        [
            PlannedAsset(asset=name, revision=revision_of_empty(name), bytes=100_000, popularity=1.5, why=why)
            for name in (f"title-{number // 8}/video-{number % 8}" for number in range(LARGE_PLAN))
        ]
    )
    process = await asyncio.create_subprocess_exec(
        *fill_command(folder), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(300):
        await steering.reached.wait()
    largest = largest_bytes(process.pid)
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    return largest


def largest_bytes(pid: int) -> int:
    """The largest resident set that a process had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


async def measure(folder: Path, *, rounds: int, megabytes: int) -> tuple[list[Run], int]:
    """Every run, in turns, and the memory."""
    steering = Steering(ADDRESS, commits=LARGE_COMMITS)
    await steering.server.start_server()
    (folder / "appliance.toml").write_text(
        f'[appliance]\nid = "fra1-a"\nsite = "fra1"\n[store]\ndevices = ["{folder / "nvme0"}"]\nreserve_ratio = 0.0\n'
        f'device_bytes_max = {10**15}\n[steering]\nurl = "http://{ADDRESS}:{steering.server.port}"\n'
        f'[admin]\nlisten = "{ADDRESS}:9"\n'
    )
    (folder / "fill.toml").write_text("")
    runs = []
    async with peer(folder, megabytes) as manifest:
        steering.manifests[ASSET] = manifest
        steering.offer(
            [PlannedAsset(asset=ASSET, revision=manifest.revision, bytes=manifest.bytes, popularity=1.0, why="popular")]
        )
        for _ in range(rounds):
            runs += [await curl(folder, manifest), await fill(folder)]
            print(json.dumps([msgspec.structs.asdict(run) for run in runs[-2:]]), file=sys.stderr, flush=True)
    largest = await memory(folder, steering)
    await steering.server.close()
    return runs, largest


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, write. A bar that does not hold is said in the table and the file, not by the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each client")
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the asset")
    parser.add_argument("--pairs", type=int, default=10, help="windows of viewers with a fill, and as many without")
    parser.add_argument("--seconds", type=int, default=4, help="length of such a window")
    parser.add_argument("--disk", type=Path, help="where it all lies, some 5 GB; a real disk")
    options = parser.parse_args(arguments)
    if why := missing():
        print(why, file=sys.stderr)
        return 1
    configure_logging(level="error")
    with tempfile.TemporaryDirectory(prefix="oca-bench-", dir=options.disk) as name:
        runs, largest = asyncio.run(measure(Path(name), rounds=options.rounds, megabytes=options.megabytes))
    with tempfile.TemporaryDirectory(prefix="oca-bench-", dir=options.disk) as name:
        windows = uvloop.run(beside_fill.measure(Path(name), pairs=options.pairs, seconds=options.seconds))
    figures = [*figures_of(runs, largest, megabytes=options.megabytes), *beside_fill.figures_of(windows)]
    show(
        "Fill",
        ["figure", "value", "unit", "bar", "holds"],
        [
            [f["name"], f"{f['value']:,.2f}", f["unit"], "" if f["bar"] is None else f"{f['bar']:g}", holds(f["holds"])]
            for f in figures
        ],
    )
    raw = [msgspec.structs.asdict(run) for run in (*runs, *windows)]
    method = f"{METHOD}; {beside_fill.METHOD}"
    print(f"written: {write('fill', machine=machine(), method=method, figures=figures, runs=raw)}")
    return 0


def figures_of(runs: Sequence[Run], largest: int, *, megabytes: int) -> list[dict[str, Any]]:
    """Medians of the runs, their ratios and the memory."""
    wall = {name: statistics.median(run.wall_s for run in runs if run.client == name) for name in ("curl", "oca-fill")}
    cpu = {name: statistics.median(run.cpu_s for run in runs if run.client == name) for name in wall}
    return [
        *(figure(f"{name}: rate", megabytes / wall[name], "MB/s") for name in wall),
        *(figure(f"{name}: rate of a whole core", megabytes / cpu[name], "MB per CPU second") for name in cpu),
        figure("time of a fill ÷ curl's", wall["oca-fill"] / wall["curl"], "times", bar=CURL_TIMES_BAR),
        figure("CPU of a fill ÷ curl's", cpu["oca-fill"] / cpu["curl"], "times"),
        figure(f"memory with a plan of {LARGE_PLAN} assets", largest, "bytes", bar=MEMORY_BAR_BYTES),
    ]


if __name__ == "__main__":
    sys.exit(main())
