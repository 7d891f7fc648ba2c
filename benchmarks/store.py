"""The store beside its bars: start-up and memory with millions of objects, and what a fill leaves of hot pages:
``python -m benchmarks.store``.

The indexes are real, the packs sparse files of the right length: what is measured reads the index and no object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cold import REAL_TIME
from benchmarks.figures import figure, holds, machine, show, write
from benchmarks.hot_pages import FILL_BYTES, HOT_BYTES, LIMIT_BYTES, can_measure, hot_left
from oca.common.digest import digest_hex
from oca.common.log import configure_logging
from oca.store import files
from oca.store.entries import PackEntry, encode_entry
from oca.store.store import Store

ADDRESS = "127.0.0.1"
PACK_OBJECTS = 200
OBJECT_BYTES = 2_500_000
START_S_BAR = 2.0
WORKER_BYTES_BAR = 200e6
HOT_LOST_BAR = 0.05
METHOD = (
    f"indexes of {PACK_OBJECTS} objects a pack with paths of 40 bytes, made by way of the store's own index, in no"
    " order of their names; start: oca serve with one worker as a process, from its start until its worker "
    "serves, the index in the page cache or dropped from it, and with an empty store, in turns, medians, as root "
    "at real-time priority so that others on the machine do not count, with modules compiled as an installed package "
    "has them; and the CPU that it took, its end "
    "included; worker: a process that opens the store for reading and looks up 200,000 random paths, its "
    "anonymous memory and, apart, what it has mapped of the index, which all workers share and the kernel takes "
    f"back at need; page cache: in a memory cgroup (v1) of {LIMIT_BYTES >> 20} MiB, {HOT_BYTES >> 20} MiB of "
    f"segments are read twice, then {FILL_BYTES >> 20} MiB are written, as staged and committed assets or, to "
    "compare, by plain writes; how much of the segments cachestat then still counts"
)


def path_of(number: int) -> bytes:
    """The path of an object of a made-up index."""
    pack, item = divmod(number, PACK_OBJECTS)
    return f"/title-{pack:07}/video-1080p/seg-{item:09}.m4s".encode()


def make_index(device: Path, objects: int) -> None:
    """A device whose index names so many objects; its packs are sparse files, and came in no order of their names."""
    store = Store.open([device])
    (opened,) = store.devices()
    lengths = PACK_OBJECTS * (OBJECT_BYTES + 2_000)
    titles = list(range(objects // PACK_OBJECTS))
    random.Random(1).shuffle(titles)
    for number, title in enumerate(titles, start=1):
        asset = f"title-{title:07}/video-1080p"
        entry = PackEntry(asset, digest_hex(asset.encode()), lengths, PACK_OBJECTS, 1)
        first = title * PACK_OBJECTS
        digest = bytes(16)
        entries = [
            (
                path_of(first + item),
                encode_entry(
                    number, item * OBJECT_BYTES, OBJECT_BYTES, digest=digest, media_type="video/mp4", modified_at_s=1
                ),
            )
            for item in range(PACK_OBJECTS)
        ]
        opened.index.admit(number, entry, entries, replaced={})
        with opened.pack_path(number).open("wb") as file:
            file.truncate(lengths)
        if number % 5000 == 0:
            print(f"  {number * PACK_OBJECTS:,} objects indexed", file=sys.stderr, flush=True)
    store.close()


# ---- start-up ----


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server((ADDRESS, 0)) as server:
        return int(server.getsockname()[1])


def start_s(folder: Path, device: Path, *, cold: bool = False) -> tuple[float, float]:
    """Seconds from the start of ``oca serve`` until it serves; and of CPU, its end included.

    ``cold``: the index has to be read from its device. As root it has real-time priority.
    """
    if cold:
        os.sync()
        files.forget_cached(device / "index" / "data.mdb")
    admin = free_port()
    config = folder / "appliance.toml"
    config.write_text(
        f'[appliance]\nid = "bench"\nsite = "bench"\n[delivery]\nlisten = ["{ADDRESS}:{free_port()}"]\nworkers = 1\n'
        f'[admin]\nlisten = "{ADDRESS}:{admin}"\n[store]\ndevices = ["{device}"]\n'
        f"[store.scrub]\nrate_bytes_per_s = 0\n"
    )
    began_at, cpu_before_s = time.monotonic(), _cpu_of_children_s()
    argv = [*(REAL_TIME if os.geteuid() == 0 else ()), sys.executable, "-m", "oca.cli", "serve"]
    argv += ["--config", str(config)]
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL, env=_ENVIRONMENT)
    try:
        while not is_serving(admin):
            if process.poll() is not None:
                raise SystemExit(f"oca serve ended with status {process.returncode}")
            time.sleep(0.01)
        took_s = time.monotonic() - began_at
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    return took_s, _cpu_of_children_s() - cpu_before_s


_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _cpu_of_children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def is_serving(admin: int) -> bool:
    """Whether every worker is ready."""
    try:
        with urllib.request.urlopen(f"http://{ADDRESS}:{admin}/v1/status", timeout=30) as answer:
            workers = json.load(answer)["workers"]
    except (urllib.error.URLError, OSError):
        return False
    return bool(workers) and all(worker["ready"] for worker in workers)


# ---- memory ----

LOOK_UP = """
import json, random, sys
from pathlib import Path
from benchmarks.store import memory_of_self, path_of
from oca.store.reader import StoreReader
device, objects = Path(sys.argv[1]), int(sys.argv[2])
reader = StoreReader.open([device])
chance = random.Random(1)
for _ in range(200_000):
    if reader.find(path_of(chance.randrange(objects))) is None:
        raise SystemExit("an object is missing")
for pack in chance.sample(range(1, objects // 200 + 1), min(4096, objects // 200)):
    reader.pack(0, pack)
print(json.dumps(memory_of_self()))
"""


def memory_of_self() -> dict[str, int]:
    """Bytes of this process that are its own, and that are mapped from files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    told = {line.partition(":")[0]: line.split()[1] for line in lines if line.startswith("Rss")}
    return {"anonymous": int(told["RssAnon"]) * 1024, "mapped": (int(told["RssFile"]) + int(told["RssShmem"])) * 1024}


def reader_memory(device: Path, objects: int) -> dict[str, int]:
    """Memory of a process that looks objects up, as a worker does."""
    argv = [sys.executable, "-c", LOOK_UP, str(device), str(objects)]
    found: dict[str, int] = json.loads(subprocess.run(argv, capture_output=True, check=True, text=True).stdout)
    return found


# ---- in all ----


def measure(folder: Path, disk: Path, *, start_objects: int, memory_objects: int, rounds: int) -> list[dict[str, Any]]:
    """Every figure."""
    devices = {objects: folder / f"device-{objects}" for objects in (0, start_objects, memory_objects)}
    for objects, device in devices.items():
        device.mkdir()
        make_index(device, objects)
    kinds = {"empty store": (0, False), "warm": (start_objects, False), "cold": (start_objects, True)}
    runs: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    start_s(folder, devices[0])  # modules are compiled by the first one that needs them
    for _ in range(rounds):
        for kind, (objects, cold) in kinds.items():
            runs[kind].append(start_s(folder, devices[objects], cold=cold))
    print(f"  {runs}", file=sys.stderr, flush=True)
    took, cpu = ({n: statistics.median(run[what] for run in each) for n, each in runs.items()} for what in (0, 1))
    memory = reader_memory(devices[memory_objects], memory_objects)
    figures = [
        figure(f"oca serve serves, {start_objects:,} objects", took["warm"], "s", bar=START_S_BAR),
        figure(f"oca serve serves, {start_objects:,} objects, index not in memory", took["cold"], "s", bar=START_S_BAR),
        figure("oca serve serves, empty store", took["empty store"], "s"),
        figure(f"its CPU, {start_objects:,} objects", cpu["warm"], "s"),
        figure("its CPU, empty store", cpu["empty store"], "s"),
        figure(f"worker's own memory, {memory_objects:,} objects", memory["anonymous"], "bytes", bar=WORKER_BYTES_BAR),
        figure(f"mapped of the index and libraries, {memory_objects:,} objects", memory["mapped"], "bytes"),
    ]
    if can_measure():
        lost = {}
        for how in ("staged", "plain"):
            with tempfile.TemporaryDirectory(dir=disk) as name:
                lost[how] = 1 - hot_left(Path(name), how)
        figures += [
            figure("hot bytes pushed out by a fill", lost["staged"], "share", bar=HOT_LOST_BAR),
            figure("hot bytes pushed out by plain writes", lost["plain"], "share"),
        ]
    else:
        print("page cache: not measured, that takes root and the v1 memory cgroup", file=sys.stderr)
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, write. A bar that does not hold is said in the table and the file, not by the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start-objects", type=int, default=1_000_000)
    parser.add_argument("--memory-objects", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5, help="starts of each kind")
    parser.add_argument("--folder", type=Path, help="where the indexes go, 1.3 GB; in memory they are made sooner")
    parser.add_argument("--disk", type=Path, help="where the fill writes, 1 GB; a real disk")
    options = parser.parse_args(arguments)
    configure_logging(level="warning")
    with (
        tempfile.TemporaryDirectory(prefix="oca-bench-", dir=options.folder) as name,
        tempfile.TemporaryDirectory(prefix="oca-bench-", dir=options.disk) as disk,
    ):
        figures = measure(
            Path(name),
            Path(disk),
            start_objects=options.start_objects,
            memory_objects=options.memory_objects,
            rounds=options.rounds,
        )
    columns = ["figure", "value", "unit", "bar", "holds"]
    rows = [
        [f["name"], f"{f['value']:,.3f}", f["unit"], "" if f["bar"] is None else f"{f['bar']:g}", holds(f["holds"])]
        for f in figures
    ]
    show("The store", columns, rows)
    print(f"written: {write('store', machine=machine(), method=METHOD, figures=figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
