"""Clients that flood a server, and one that measures how it fares meanwhile.

``flooding.py KIND many|one HOST PORT SECONDS`` or ``flooding.py hot HOST PORT SECONDS``. ``many`` comes from 250
addresses, so that no limit on one of them hides what the server bears; ``one`` comes from a single address.

Each flood is bounded in connections, rate and time, goes to loopback alone, and yields to whoever else wants the
processor: what is measured is the server, not the flood's own share of the machine.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

HOT = "/film/hot.m4s"
LARGE = "/film/large.m4s"
SOURCES = {"many": [f"127.0.71.{last}" for last in range(1, 251)], "one": ["127.0.71.251"]}
"""Whom floods come from; the hot client has another address."""
HOT_CLIENT = "127.0.71.254"
TICK_S = 0.002
TURN_TICKS = 500
"""Each connection has its turn once a second, evenly: who floods has many machines, and no common clock."""
CONNECTS_PER_TICK = 4
IP_BIND_ADDRESS_NO_PORT = 24
"""ip(7): the port is chosen at ``connect``, so that one address has its 28,000 for each server."""
SEGMENT_BYTES = 1448
"""As over an Ethernet: with loopback's 64 KiB the kernel would keep megabytes for each connection."""
Work = Callable[[socket.socket, int], None]


class Kind(NamedTuple):
    """What a flood does: how many connections it keeps open, what it does on each in its turn."""

    connections: int
    work: Work
    receive_bytes: int = 0
    """Size of a connection's receive buffer; 0: as usual."""


def get(path: str, more: str = "", method: str = "GET") -> bytes:
    """A request, with ``more`` field lines."""
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\n{more}\r\n".encode()


class Flood:
    """Keeps connections open, those that end made anew, and has each do its work in its turn."""

    def __init__(self, kind: Kind, sources: list[str], address: tuple[str, int]) -> None:
        self._kind, self._address = kind, address
        self._open: list[socket.socket] = []
        self._sources = itertools.cycle(sources)

    def run(self, seconds: float) -> None:
        """Flood for so long."""
        end_s = time.monotonic() + seconds
        for number in itertools.count():
            began_s = time.monotonic()
            if began_s >= end_s:
                break
            self._fill()
            part = number % TURN_TICKS
            gone = [client for client in self._open[part::TURN_TICKS] if not self._goes_on(client, number)]
            if gone:
                ended = set(gone)
                self._open = [client for client in self._open if client not in ended]
            time.sleep(max(0.0, TICK_S - (time.monotonic() - began_s)))
        for client in self._open:
            client.close()

    def _goes_on(self, client: socket.socket, number: int) -> bool:
        try:
            self._kind.work(client, number // TURN_TICKS)
        except BlockingIOError:
            return True
        except OSError:
            client.close()
            return False
        return True

    def _fill(self) -> None:
        for _ in range(min(CONNECTS_PER_TICK, self._kind.connections - len(self._open))):
            client = socket.socket()
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
            if self._kind.receive_bytes:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._kind.receive_bytes)
            client.bind((next(self._sources), 0))
            with contextlib.suppress(BlockingIOError):
                client.connect(self._address)
            self._open.append(client)


def drop_what_comes(client: socket.socket) -> None:
    """Read all there is, some megabytes at most; an end is an error, so that the connection is made anew."""
    with contextlib.suppress(BlockingIOError):
        for _ in range(32):
            data = client.recv(2**18)
            if not data:
                raise ConnectionResetError


def slowloris(client: socket.socket, number: int) -> None:
    """A byte of a head at a time."""
    drop_what_comes(client)
    client.send(b"GET / HTTP/1.1\r\nX: "[number % 19 : number % 19 + 1])


def slow_read(client: socket.socket, number: int) -> None:
    """Ask for much, take a little."""
    if number % 20 == 0:
        client.send(get(LARGE))
    if not client.recv(64):
        raise ConnectionResetError


def header_bomb(client: socket.socket, number: int) -> None:
    """Heads as large as they may be, none like another; and heads that never end."""
    drop_what_comes(client)
    if number % 2:
        client.send(get(HOT, "".join(f"X-{number}-{each}: {'a' * 200}\r\n" for each in range(60)), "HEAD"))
    else:
        client.send(b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000)


def connection(client: socket.socket, _number: int) -> None:
    """Be there, and say nothing."""
    drop_what_comes(client)


def pipelining(client: socket.socket, _number: int) -> None:
    """Hundreds of requests at once, more than the server takes."""
    drop_what_comes(client)
    client.send(_PIPELINE)


def range_bomb(client: socket.socket, _number: int) -> None:
    """As many ranges as are answered apart, each as long as they may be in all; and a thousand that overlap."""
    drop_what_comes(client)
    client.send(_RANGES)


_PIPELINE = get(HOT, method="HEAD") * 300
_RANGES = get(LARGE, f"Range: bytes={','.join(f'{each}000-{each}999' for each in range(1, 17))}\r\n") + get(
    HOT, f"Range: bytes={','.join(f'{each}-' for each in range(1000))}\r\n"
)
FLOODS = {
    "slowloris": Kind(2500, slowloris),
    "slow-read": Kind(2500, slow_read, 4096),
    "header-bomb": Kind(2000, header_bomb),
    "connection": Kind(4000, connection),
    "pipelining": Kind(500, pipelining),
    "range-bomb": Kind(500, range_bomb),
}


def hot(address: tuple[str, int], seconds: float) -> dict[str, float]:
    """One viewer's requests, each tenth on a new connection: their p99, how many were answered, how many were not."""
    took: list[float] = []
    failed = 0
    end_s = time.monotonic() + seconds
    client: socket.socket | None = None
    for number in itertools.count():
        began_s = time.monotonic()
        if began_s >= end_s:
            break
        try:
            if client is None or number % 10 == 0:
                if client is not None:
                    client.close()
                client = socket.create_connection(address, timeout=5, source_address=(HOT_CLIENT, 0))
            client.sendall(get(HOT))
            _take(client)
            took.append(time.monotonic() - began_s)
        except OSError:
            failed += 1
            client = None
        time.sleep(0.002)
    took.sort()
    return {
        "p99_s": took[int(len(took) * 0.99)],
        "p50_s": took[len(took) // 2],
        "answered": len(took),
        "failed": failed,
    }


def _take(client: socket.socket) -> None:
    data = client.recv(2**18)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError(head[:40])
    left = int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0]) - len(body)
    while left:
        data = client.recv(2**18)
        if not data:
            raise ConnectionError("cut")
        left -= len(data)


def come_first(thread: int) -> None:
    """Give a thread (0: this one) the processor before all that is not measured, where this user may."""
    try:
        os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        print("measured amid whatever else runs here: only root may come first", file=sys.stderr)


def main() -> None:
    """Run one."""
    *kind, host, port, seconds = sys.argv[1:]
    address = (host, int(port))
    # The worker is pinned to the first core: let it have that one where there are more.
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[1:] or cores)
    if kind == ["hot"]:
        come_first(0)
        print(json.dumps(hot(address, float(seconds))))
        return
    os.nice(10)
    Flood(FLOODS[kind[0]], SOURCES[kind[1]], address).run(float(seconds))


if __name__ == "__main__":
    main()
