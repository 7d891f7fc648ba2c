"""Clients that flood a server, and one that measures how it fares meanwhile: ``flooding.py KIND HOST PORT SECONDS``.

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

HOT = "/film/hot.m4s"
LARGE = "/film/large.m4s"
FLOODERS = ("127.0.0.91", "127.0.0.92")
"""Whom floods come from; the hot client has another address."""
HOT_CLIENT = "127.0.0.82"
TICK_S = 0.025
CONNECTS_PER_TICK = 25
Work = Callable[[socket.socket, int], None]


def get(path: str, more: str = "") -> bytes:
    """A request, with ``more`` field lines."""
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n{more}\r\n".encode()


class Flood:
    """Keeps ``count`` connections open from the flooders' addresses, and does ``work`` on each ten times a second."""

    def __init__(self, address: tuple[str, int], count: int, work: Work, *, receive_bytes: int = 0) -> None:
        self._address, self._count, self._work, self._receive_bytes = address, count, work, receive_bytes
        self._open: list[socket.socket] = []
        self._sources = itertools.cycle(FLOODERS)

    def run(self, seconds: float) -> None:
        """Flood for so long."""
        end_s = time.monotonic() + seconds
        for number in itertools.count():
            began_s = time.monotonic()
            if began_s >= end_s:
                break
            self._fill()
            # Each fourth connection has its turn, so that the flood is even.
            for client in self._open[number % 4 :: 4]:
                try:
                    self._work(client, number // 4)
                except BlockingIOError:
                    continue
                except OSError:
                    client.close()
                    self._open.remove(client)
            time.sleep(max(0.0, TICK_S - (time.monotonic() - began_s)))
        for client in self._open:
            client.close()

    def _fill(self) -> None:
        for _ in range(min(CONNECTS_PER_TICK, self._count - len(self._open))):
            client = socket.socket()
            if self._receive_bytes:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_bytes)
            try:
                client.bind((next(self._sources), 0))
                client.connect(self._address)
            except OSError:
                client.close()
                return
            client.setblocking(False)
            self._open.append(client)


def drop_what_comes(client: socket.socket) -> None:
    """Read all there is; an end is an error, so that the connection is made anew."""
    with contextlib.suppress(BlockingIOError):
        while data := client.recv(2**18):
            if len(data) < 2**10:
                return
        raise ConnectionResetError


def slowloris(client: socket.socket, number: int) -> None:
    """A byte of a head at a time."""
    client.send(b"GET / HTTP/1.1\r\nX: "[number % 19 : number % 19 + 1])
    drop_what_comes(client)


def slow_read(client: socket.socket, number: int) -> None:
    """Ask for much, take a little."""
    if number % 200 == 0:
        client.send(get(LARGE))
    with contextlib.suppress(BlockingIOError):
        if not client.recv(64):
            raise ConnectionResetError


def header_bomb(client: socket.socket, number: int) -> None:
    """Heads as large as they may be, none like another; and heads that never end."""
    drop_what_comes(client)
    if number % 3 == 0:
        client.send(get(HOT, "".join(f"X-{number}-{each}: {'a' * 200}\r\n" for each in range(60))))
    elif number % 3 == 1:
        client.send(b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000)


FLOODS: dict[str, tuple[int, Work, int]] = {
    "slowloris": (250, slowloris, 0),
    "slow-read": (60, slow_read, 4096),
    "header-bomb": (20, header_bomb, 0),
}
"""Connections, what each does in its turn, size of its receive buffer (0: as usual)."""


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
    return {"p99_s": took[int(len(took) * 0.99)], "answered": len(took), "failed": failed}


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


def main() -> None:
    """Run one."""
    kind, host, port, seconds = sys.argv[1:]
    address = (host, int(port))
    if kind == "hot":
        print(json.dumps(hot(address, float(seconds))))
        return
    os.nice(10)
    count, work, receive_bytes = FLOODS[kind]
    Flood(address, count, work, receive_bytes=receive_bytes).run(float(seconds))


if __name__ == "__main__":
    main()
