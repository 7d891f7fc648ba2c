"""Ten thousand players at once on both cores: errors, stalls, and the memory that a connection takes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from msgspec import Struct

from benchmarks.delivery.load import cpu_ns, rss_bytes
from benchmarks.delivery.material import PACED_BYTES, PACED_PATH, compile_c
from benchmarks.delivery.servers import ADDRESS, Peer

CONNECTIONS = 10_000
PERIOD_MS = 1000


class Paced(Struct, frozen=True):
    """What the players had; a stall is a response that was not whole when the next was due."""

    server: str
    connections: int
    responses: int
    errors: int
    stalls: int
    bytes_per_s: float
    p50_us: int
    p99_us: int
    p999_us: int
    cpu_us: float
    connection_bytes: float
    """Private memory of the server's processes, more than before, at the end, over the connections."""


async def pace(peer: Peer, folder: Path, *, seconds: int, connections: int = CONNECTIONS) -> Paced:
    """Let ``connections`` players ask for a segment each second."""
    request = folder / "paced.request"
    request.write_text(
        f"GET {peer.prefix}{PACED_PATH} HTTP/1.1\r\nHost: {ADDRESS}\r\nUser-Agent: paced\r\nAccept: */*\r\n\r\n"
    )
    idle_bytes, before = rss_bytes(peer.pids), cpu_ns(peer.pids)
    load = await asyncio.create_subprocess_exec(
        *(str(compile_c(folder, "paced")), ADDRESS, str(peer.port), str(connections), str(PERIOD_MS), str(seconds)),
        *(str(request), str(PACED_BYTES)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert load.stdin is not None
    assert load.stdout is not None
    assert load.stderr is not None
    if await load.stderr.readline() != b"connected\n":
        raise SystemExit(f"the players cannot connect to {peer.name}; raise the limit of open files (ulimit -n)")
    load.stdin.write(b"\n")
    load.stdin.close()
    said = asyncio.get_running_loop().create_task(load.stdout.read())
    await asyncio.sleep(seconds * 0.9)
    taken_bytes = rss_bytes(peer.pids)
    told: dict[str, int] = json.loads(await said)
    await load.wait()
    spent_ns = cpu_ns(peer.pids) - before
    return Paced(
        peer.name,
        connections,
        told["responses"],
        told["errors"],
        told["stalls"],
        told["bytes"] / seconds,
        told["p50_us"],
        told["p99_us"],
        told["p999_us"],
        spent_ns / max(told["responses"], 1) / 1000,
        (taken_bytes - idle_bytes) / connections,
    )
