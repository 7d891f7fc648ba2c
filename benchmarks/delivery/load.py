"""One run of load against one server, and what it cost: CPU of the server's tasks, latency, memory."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from benchmarks.delivery.material import SIZES, paths
from benchmarks.delivery.servers import ADDRESS, LOAD_CORE, Peer

CONNECTIONS = 64
HEAD_BYTES_MAX = 1024
"""No response head here is longer."""


class Run(Struct, frozen=True):
    """One run of wrk against one server; latency is to the last byte."""

    server: str
    size: str
    requests: int
    cpu_us: float
    bytes_per_s: float
    p50_us: int
    p99_us: int
    p999_us: int
    rss_bytes: int


def cpu_ns(pids: Iterable[int]) -> int:
    """CPU time of processes in nanoseconds, by schedstat of their tasks."""
    return sum(
        int(task.read_text().split()[0]) for pid in pids for task in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )


def rss_bytes(pids: Iterable[int]) -> int:
    """Memory of processes that is theirs alone: what they share, files above all, is not counted."""
    private = re.compile(r"^Private_(?:Clean|Dirty): +(\d+) kB", re.MULTILINE)
    rollups = [Path(f"/proc/{pid}/smaps_rollup") for pid in pids]
    # A server may have begun with a helper that is gone by now.
    return 1024 * sum(int(kib) for each in rollups if each.exists() for kib in private.findall(each.read_text()))


async def drive(peer: Peer, size: str, seconds: int, *, heads: str = "same", connections: int = CONNECTIONS) -> Run:
    """Drive one server for a while; with ``heads`` "new" no two header blocks are the same."""
    before = cpu_ns(peer.pids)
    wrk = await asyncio.create_subprocess_exec(
        *("taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s"),
        *("-s", str(Path(__file__).with_name("wrk.lua")), f"{peer.scheme}://{ADDRESS}:{peer.port}/", "--"),
        *(heads, *(peer.prefix + path for path in paths(size))),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await wrk.communicate()
    spent_ns = cpu_ns(peer.pids) - before
    found = re.search(rb"JSON (.*)", said)
    if wrk.returncode or found is None:
        raise SystemExit(f"wrk failed against {peer.name}: {said.decode()[-400:]}")
    told: dict[str, int] = json.loads(found[1])
    if told["errors"] or not told["requests"]:
        raise SystemExit(f"{peer.name} at {size}: {told['errors']} errors in {told['requests']} requests")
    if told["bytes"] < told["requests"] * SIZES[size]:
        raise SystemExit(f"{peer.name} at {size}: {told['bytes']} bytes in {told['requests']} responses are too few")
    # What was begun and not ended when time ran out counts by its bytes: much, where few large bodies fit into a run.
    served = max(told["requests"], told["bytes"] / (SIZES[size] + HEAD_BYTES_MAX))
    return Run(
        peer.name,
        size,
        told["requests"],
        spent_ns / served / 1000,
        told["bytes"] / told["duration_us"] * 1e6,
        told["p50_us"],
        told["p99_us"],
        told["p999_us"],
        rss_bytes(peer.pids),
    )
