"""What viewers of objects in memory feel while as many others ask for what is not: ``python -m benchmarks.cold``.

Both loads of a pair are the same but for the second half of their requests: from memory, or from the device.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop
from msgspec import Struct, structs

from benchmarks.delivery import servers
from benchmarks.delivery.__main__ import missing
from benchmarks.delivery.appliance import appliance, everything
from benchmarks.delivery.material import certify, compile_c
from benchmarks.delivery.report import OURS, rows
from benchmarks.delivery.servers import ADDRESS, LOAD_CORE, SERVER_CORE, Peer
from benchmarks.figures import figure, machine, show, write
from oca.common.log import configure_logging
from oca.store.importing import describe_folder, import_folder
from oca.store.store import Store

PORT = 18081
HOT_FILES, HOT_BYTES = 16, 65_536
COLD_BYTES = 131_072
RATE = 200
"""Requests a second of each half."""
REAL_TIME, NAP_US = ("chrt", "--fifo", "1"), 30
TIMES_BAR = 2.0
AIO = ("nginx aio, sendfile on", "nginx aio, sendfile off")
AIO_THREADS = "aio threads; directio off;"
NAMES = (OURS, *AIO, "nginx")
METHOD = (
    f"one worker each on core {SERVER_CORE}, its threads too; load in C on core {LOAD_CORE}: {RATE} requests a second "
    f"for {HOT_FILES} objects of {HOT_BYTES} bytes in memory on 16 connections, and as many on 16 others, "
    f"from memory (all hot: the same objects), or (under cold) for objects of {COLD_BYTES} bytes, each asked "
    "once, of a pack or of files dropped from the page cache before the run, in random order, every second object of "
    "the pack so that no read ahead serves one; what the server read from the device is checked; times from when a "
    "request was due, to the first byte in the first half, to the last in the other (some send a head before they "
    "read); runs alternate; medians of the runs' percentiles; ours with everything on; nginx: as in the delivery "
    "benchmark, plain, and with aio threads, directio off, and sendfile on or off"
)


class Window(Struct, frozen=True):
    """One run against one server."""

    server: str
    cold: bool
    """Whether the other half of all requests was for what is not in memory."""
    p50_us: int
    p99_us: int
    other_p50_us: int
    other_p99_us: int


def median(windows: Sequence[Window], server: str, *, cold: bool, what: str) -> float:
    """Median of one attribute over a server's runs of one kind."""
    return float(
        statistics.median(getattr(each, what) for each in windows if (each.server, each.cold) == (server, cold))
    )


def figures_of(windows: Sequence[Window]) -> list[dict[str, Any]]:
    """Each server's percentiles; ours against itself all hot, and against nginx with threads at its better."""
    figures = []
    for name in NAMES:
        for cold, when in ((False, "all hot"), (True, "under cold")):
            for what in ("p50", "p99"):
                value = median(windows, name, cold=cold, what=f"{what}_us")
                figures.append(figure(f"{name}: {what} to first byte, {when}", value, "µs"))
        for what in ("p50", "p99"):
            value = median(windows, name, cold=True, what=f"other_{what}_us")
            figures.append(figure(f"{name}: {what} to last byte of the cold", value, "µs"))
    hot, under = (median(windows, OURS, cold=cold, what="p99_us") for cold in (False, True))
    rival = min(median(windows, name, cold=True, what="p99_us") for name in AIO)
    return [
        figure("p99 of hot under cold vs all hot", under / hot, "ratio", bar=TIMES_BAR),
        figure("p99 of hot under cold vs nginx with aio threads", under / rival, "ratio", bar=1.0),
        *figures,
    ]


def prepare(folder: Path, cold_files: int) -> Path:
    """Write files under ``folder``/www and import them, hot and cold apart; returns the store's device."""
    device = folder / "device"
    device.mkdir()
    store = Store.open([device])
    for kind, files, size_bytes in (("hot", HOT_FILES, HOT_BYTES), ("cold", 2 * cold_files, COLD_BYTES)):
        source = folder / "www" / "bench" / kind
        source.mkdir(parents=True)
        for number in range(files):
            (source / f"{number:05}.m4s").write_bytes(os.urandom(size_bytes))
        import_folder(store, *describe_folder(source, asset=f"bench/{kind}", mount=f"/bench/{kind}"))
    store.close()
    folder.chmod(0o755)
    os.sync()  # what is not written yet cannot be dropped
    return device


def drop(folder: Path) -> None:
    """Have the kernel let go of everything that is served; who warms comes after."""
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_size >= HOT_BYTES:
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def lists(seconds: int) -> tuple[list[str], list[str]]:
    """Paths of the objects that are kept in memory, and of those that are not."""
    others = [f"cold/{2 * number:05}" for number in range(seconds * RATE)]
    random.shuffle(others)
    return [f"hot/{number:05}" for number in range(HOT_FILES)], others


def read_bytes(pids: Sequence[int]) -> int:
    """What processes have read from devices so far."""
    told = (Path(f"/proc/{pid}/io").read_text() for pid in pids)
    return sum(int(each.partition("\nread_bytes: ")[2].split()[0]) for each in told)


async def load(
    program: Path, peer: Peer, seconds: int, asked: tuple[list[str], list[str]], *, real_time: bool = False
) -> dict[str, int]:
    """Put a server under load; what the program in C tells of it."""
    names = [program.with_name(f"{kind}.list") for kind in ("first", "other")]
    for name, paths in zip(names, asked, strict=True):
        name.write_text("".join(f"{peer.prefix}/bench/{path}.m4s\n" for path in paths))
    argv = ["taskset", "-c", str(LOAD_CORE), str(program), ADDRESS, str(peer.port), str(seconds), str(RATE)]
    argv = [*(REAL_TIME if real_time else ()), *argv, *map(str, names), *([str(NAP_US)] if real_time else [])]
    asking = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    said, _ = await asking.communicate()
    told: dict[str, int] = json.loads(said or "{}")
    if asking.returncode or told["errors"]:
        raise SystemExit(f"the load against {peer.name} failed: {told}")
    return told


async def window(folder: Path, program: Path, peer: Peer, seconds: int, *, cold: bool) -> Window:
    """One run; the cold objects are dropped before it, the hot ones read."""
    hot, others = lists(seconds)
    drop(folder)
    await load(program, peer, 1, (hot, hot))
    before = read_bytes(peer.pids)
    told = await load(program, peer, seconds, (hot, others if cold else hot))
    read = read_bytes(peer.pids) - before
    if read < 0.95 * told["others"] * COLD_BYTES * cold:
        raise SystemExit(
            f"{peer.name} read {read} bytes from the device: the cold objects were in memory; is it a disk?"
        )
    result = Window(peer.name, cold, *(told[key] for key in ("p50_us", "p99_us", "other_p50_us", "other_p99_us")))
    print(structs.asdict(result), file=sys.stderr, flush=True)
    return result


async def measure(folder: Path, *, rounds: int, seconds: int) -> list[Window]:
    """Start the servers and let them take turns."""
    device = prepare(folder, seconds * RATE)
    certify(folder)
    program = compile_c(folder, "cold")
    more = "".join(
        f"server {{ listen {ADDRESS}:{PORT + 4 + place}; root {folder}/www; {AIO_THREADS} sendfile {on}; }}\n"
        for place, on in enumerate(("on", "off"))
    )
    windows = []
    async with contextlib.AsyncExitStack() as stack:
        ours = await stack.enter_async_context(appliance(OURS, device, everything(PORT, folder)))
        plain, *_ = await stack.enter_async_context(servers.nginx(folder, PORT + 1, more))
        aio = [Peer(name, PORT + 4 + place, plain.pids) for place, name in enumerate(AIO)]
        for number in range(rounds):
            peers = [ours, *aio, plain]
            turn = number % len(peers)
            for peer in (*peers[turn:], *peers[:turn]):
                windows += [await window(folder, program, peer, seconds, cold=cold) for cold in (False, True)]
    return windows


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, write. A bar that does not hold is said in the table and the file, not by the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="runs of each kind against each server")
    parser.add_argument("--seconds", type=int, default=5, help="length of a run")
    options = parser.parse_args(arguments)
    if why := missing():
        print(why, file=sys.stderr)
        return 1
    configure_logging(level="warning")
    with tempfile.TemporaryDirectory(prefix="oca-bench-") as name:
        windows = uvloop.run(measure(Path(name), rounds=options.rounds, seconds=options.seconds))
    figures = figures_of(windows)
    show(
        "Time to first byte",
        ["figure", "value", "unit"],
        [[f["name"], f"{f['value']:,.2f}", f["unit"]] for f in figures],
    )
    show("Bars", ["figure", "value", "unit", "bar", "holds"], rows(figures))
    raw = [structs.asdict(each) for each in windows]
    print(f"written: {write('cold', machine=machine(), method=METHOD, figures=figures, runs=raw)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
