"""Where the CPU of a request goes: ``python -m benchmarks.profile``. Ours, nginx and the bare loop, by ``perf``.

Samples of the server's tasks are put to the system call that they were in, or to the library whose code ran.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import uvloop

from benchmarks.delivery import servers
from benchmarks.delivery.__main__ import missing
from benchmarks.delivery.appliance import appliance, as_it_comes, everything
from benchmarks.delivery.load import CONNECTIONS, drive
from benchmarks.delivery.material import SIZES, certify, prepare
from benchmarks.delivery.report import OURS
from benchmarks.delivery.servers import LOAD_CORE, SERVER_CORE, Peer
from benchmarks.figures import figure, machine, show, write
from oca.common.log import configure_logging

PORT = 18101
SAMPLES_PER_S = 1999
WARM_S = 1
METHOD = (
    f"one worker each on core {SERVER_CORE}, wrk -t1 -c{CONNECTIONS} on core {LOAD_CORE}, as in the delivery "
    f"benchmark; perf record -e cpu-clock at {SAMPLES_PER_S} Hz of the server's tasks for the length of a run, so that "
    "figures are above those without it; a sample counts for the system call on its stack, else for the library whose "
    "code ran; µs a request: share of samples times the run's CPU per request"
)
_CALLS = {
    "__x64_sys_sendfile64": "sendfile",
    "__x64_sys_sendto": "head",
    "do_writev": "head",
    "__x64_sys_recvfrom": "receive",
    "__x64_sys_epoll_wait": "epoll",
    "__x64_sys_epoll_pwait": "epoll",
    "__x64_sys_epoll_ctl": "epoll",
}
_LIBRARIES = {"libpython": "Python", "python": "Python", "loop.cpython": "uvloop", "nginx": "nginx", "floor": "floor"}
PARTS = ("sendfile", "head", "receive", "epoll", "other calls", "Python", "uvloop", "own code", "other")


def part_of(stack: Sequence[str]) -> str:
    """Which part of a request a sample belongs to; ``stack`` as ``perf script`` prints it, the innermost frame first.

    Each line is ``address symbol+offset (library)``.
    """
    symbols = [line.split(maxsplit=1)[-1] for line in stack]
    for symbol in symbols:
        if (call := _CALLS.get(symbol.split(maxsplit=1)[0].partition("+")[0])) is not None:
            return call
    library = symbols[0].rpartition("(")[2].rstrip(")").rpartition("/")[2] if symbols else ""
    if library.startswith("[kernel"):
        return "other calls"
    named = next((name for start, name in _LIBRARIES.items() if library.startswith(start)), "other")
    return "own code" if named in ("nginx", "floor") else named


def shares(script: str) -> dict[str, float]:
    """The share of each part, of the samples in what ``perf script`` printed, a paragraph each."""
    counted = Counter(
        part_of([line for line in paragraph.splitlines() if line.strip()])
        for paragraph in script.split("\n\n")
        if paragraph.strip()
    )
    samples = sum(counted.values())
    return {part: counted[part] / samples for part in PARTS} if samples else {}


async def profile(peer: Peer, size: str, seconds: int, folder: Path) -> dict[str, float]:
    """Microseconds of CPU a request in each part, and in all, under ``total``."""
    await drive(peer, size, WARM_S)
    record = await asyncio.create_subprocess_exec(
        *("perf", "record", "-q", "-e", "cpu-clock", "-F", str(SAMPLES_PER_S), "-g"),
        *("-p", ",".join(map(str, peer.pids)), "-o", str(folder / "perf.data"), "--", "sleep", str(seconds)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    run = await drive(peer, size, seconds)
    await record.wait()
    script = await asyncio.create_subprocess_exec(
        *("perf", "script", "-i", str(folder / "perf.data"), "-F", "ip,sym,dso"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    printed, _ = await script.communicate()
    parts = shares(printed.decode(errors="replace"))
    if not parts:
        raise SystemExit(f"perf took no samples of {peer.name}; kernel.perf_event_paranoid, or no linux-perf?")
    return {"total": run.cpu_us, **{part: share * run.cpu_us for part, share in parts.items()}}


@contextlib.asynccontextmanager
async def _peers(folder: Path) -> AsyncIterator[list[Peer]]:
    device = prepare(folder)
    certify(folder)
    async with contextlib.AsyncExitStack() as stack:
        start = stack.enter_async_context
        ours = await start(appliance(OURS, device, everything(PORT, folder)))
        plain = await start(appliance("oca plain", device, as_it_comes(PORT + 1)))
        nginx = (await start(servers.nginx(folder, PORT + 2)))[0]
        yield [ours, plain, nginx, await start(servers.floor(folder, PORT + 5))]


async def measure(seconds: int) -> dict[tuple[str, str], dict[str, float]]:
    """The parts by size and server."""
    with tempfile.TemporaryDirectory(prefix="oca-profile-") as name:
        async with _peers(Path(name)) as peers:
            return {
                (size, peer.name): await profile(peer, size, seconds, Path(name)) for size in SIZES for peer in peers
            }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="length of a run")
    options = parser.parse_args(arguments)
    if why := missing() or ("" if shutil.which("perf") else "missing: perf; run scripts/debian.sh bench"):
        print(why, file=sys.stderr)
        return 1
    configure_logging(level="warning")
    found = uvloop.run(measure(options.seconds))
    columns = ("total", *PARTS)
    show(
        "CPU of a request, µs, under perf",
        ["size", "server", *columns],
        [[*key, *(f"{parts[column]:.1f}" for column in columns)] for key, parts in found.items()],
    )
    figures = [
        figure(f"{server}, {size}: {column}", parts[column], "µs")
        for (size, server), parts in found.items()
        for column in columns
    ]
    print(f"written: {write('profile', machine=machine(), method=METHOD, figures=figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
