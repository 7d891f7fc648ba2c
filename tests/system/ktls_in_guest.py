"""Runs in a guest: a real worker under its supervisor sends objects to real TLS clients; prints what it did as JSON."""

from __future__ import annotations

import asyncio
import os
import platform
import ssl
import sys
import tempfile
from pathlib import Path

import msgspec

from oca.delivery.settings import DeliveryTable
from oca.delivery.supervisor import Supervisor
from oca.delivery.tls_settings import TlsTable
from tests.unit.delivery.bench import store_of
from tests.unit.delivery.tls_bench import Viewer, issue, trusting

SIZES = {"small.m4s": 4096, "middle.m4s": 2**20, "large.m4s": 3_000_001}
FIRST, LAST = 1000, 700_000
SEND_BUFFER = Path("/proc/sys/net/ipv4/tcp_wmem")
COUNTERS = (
    *("delivery_tls_sent_bytes:ktls", "delivery_tls_sent_bytes:userspace", "delivery_tls_writes"),
    *("delivery_sendfile_calls", "delivery_sendfile_bytes", "delivery_sent_bytes", "delivery_sends_blocked"),
)


class Visit(msgspec.Struct):
    """What one client met."""

    version: str
    cipher: str
    exact: list[bool]
    """Per answer, in order, whether status and bytes are right."""
    bytes: int
    resumed: bool
    goodbye: bool
    """Whether the end was told (close_notify)."""


class Seen(msgspec.Struct):
    kernel: str
    visits: list[Visit]
    modes: list[dict[str, int]]
    """Open TLS connections by who encrypts, while each client was there."""
    counters: dict[str, int]
    """The worker's."""
    kernel_counters: dict[str, int]
    """Of /proc/net/tls_stat: what the kernel itself says."""


def visit(viewer: Viewer, bodies: dict[str, bytes]) -> Visit:
    """Take every object whole and one in part, slowly enough that sends wait."""
    exact, taken = [], 0
    for name, body in bodies.items():
        status, _, got = viewer.get(f"/h/{name}")
        exact.append((status, got) == (200, body))
        taken += len(got)
    status, _, got = viewer.get("/h/middle.m4s", f"Range: bytes={FIRST}-{LAST}")
    exact.append((status, got) == (206, bodies["middle.m4s"][FIRST : LAST + 1]))
    exact.append(viewer.get("/h/none")[0] == 404)
    for name in bodies:  # pipelined
        viewer.ask(f"/h/{name}")
    exact += [viewer.reply()[2] == body for body in bodies.values()]
    status, _, last = viewer.get("/h/small.m4s", "Connection: close")
    exact.append((status, last) == (200, bodies["small.m4s"]))
    taken += len(got) + sum(map(len, bodies.values())) + len(last)
    version, (cipher, *_) = viewer.socket.version() or "", viewer.socket.cipher() or ("",)
    return Visit(version, cipher, exact, taken, viewer.socket.session_reused or False, viewer.at_end())


def tls_stat() -> dict[str, int]:
    lines = Path("/proc/net/tls_stat").read_text().splitlines()
    return {key: int(value) for key, value in map(str.split, lines)}


async def main() -> Seen:
    folder = Path(tempfile.mkdtemp())
    bodies = {name: os.urandom(size) for name, size in SIZES.items()}
    device = store_of(folder, bodies)
    certificate = issue(folder, "a", ["a.test"])
    tls = TlsTable(listen=("127.0.0.1:0",), certificates=(certificate,), kernel="on")
    supervisor = Supervisor(DeliveryTable(listen=("127.0.0.1:0",), tls=tls, workers=1), [device], appliance="guest")
    await supervisor.start()
    address = "127.0.0.1", int(supervisor.urls[0].rpartition(":")[2])
    visits, modes = [], []
    for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        context = trusting(certificate, version=version)
        session = None
        for _ in range(2):
            viewer = await asyncio.to_thread(Viewer, address, context, session=session, receive_bytes=8192)
            await asyncio.to_thread(viewer.get, "/h/none")
            counts = supervisor.counters()
            modes.append({mode: counts[f"delivery_tls_connections:{mode}"] for mode in ("ktls", "userspace")})
            session = viewer.socket.session
            visits.append(await asyncio.to_thread(visit, viewer, bodies))
            viewer.close()
    counts = supervisor.counters()
    await supervisor.stop(1)
    return Seen(platform.release(), visits, modes, {key: counts[key] for key in COUNTERS}, tls_stat())


if __name__ == "__main__":
    SEND_BUFFER.write_text("4096 16384 131072")  # far less than a body, so that sends wait for their readers
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(main())) + b"\n")
