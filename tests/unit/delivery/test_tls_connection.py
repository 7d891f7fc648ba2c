"""Real clients over TLS against one worker's service: what a plain connection does, byte for byte, both versions."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from oca.delivery.settings import DeliveryTable
from oca.delivery.tls_connection import CHUNK_BYTES, TURN_BYTES
from oca.delivery.tls_keeper import TlsKeeper
from oca.delivery.tls_settings import TlsTable
from tests.unit.delivery.bench import CONTENT, LARGE_BYTES, Bench, store_of
from tests.unit.delivery.tls_bench import Viewer, issue, trusting, viewer
from tests.waiting import until

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
LARGE = CONTENT["large.m4s"]


class TlsBench(Bench):
    """A bench whose listener speaks TLS, for a.test, b.test and *.c.test, and a client for it."""

    def __init__(self, device: Path, folder: Path, **settings: Any) -> None:
        self.tables = (
            issue(folder, "a", ["a.test", "127.0.0.1"]),
            issue(folder, "b", ["B.test"]),
            issue(folder, "c", ["*.c.test"]),
        )
        tls = TlsTable(listen=("127.0.0.1:0",), certificates=self.tables, **settings)
        self.keeper = TlsKeeper(tls, lambda _: None)
        self.keeper.prepare(tls)
        super().__init__(device, DeliveryTable(tls=tls, head_timeout_s=2), material=self.keeper.material)

    async def viewer(self, version: ssl.TLSVersion | None = None, **more: Any) -> Viewer:
        return await viewer(self.address, trusting(*self.tables, version=version), **more)

    async def close(self) -> None:
        self.service.close()
        assert self.count("delivery_tls_connections:userspace") == self.count("delivery_tls_handshaking") == 0
        assert self.count("delivery_connections") == self.count("delivery_sends") == 0
        await super().close()

    def reload(self) -> None:
        assert self.handshakes is not None
        self.keeper.prepare(self.service.settings.tls)
        self.handshakes.reload(self.keeper.material)


@pytest.fixture
async def make(device: Path, tmp_path: Path) -> AsyncIterator[Callable[..., TlsBench]]:
    made: list[TlsBench] = []

    def start(on: Path = device, **settings: Any) -> TlsBench:
        made.append(TlsBench(on, tmp_path, **settings))
        return made[-1]

    yield start
    for each in made:
        await each.close()


@pytest.mark.parametrize("version", [V12, V13])
async def test_tls_serves_whole_ranges_and_refusals(make: Callable[..., TlsBench], version: ssl.TLSVersion) -> None:
    bench = make()
    client = await bench.viewer(version)
    assert client.socket.version() == {V12: "TLSv1.2", V13: "TLSv1.3"}[version]
    assert client.socket.selected_alpn_protocol() == "http/1.1"
    for name, body in CONTENT.items():
        status, fields, got = await asyncio.to_thread(client.get, f"/h/{name}")
        assert (status, fields["Content-Length"], got == body) == (200, str(len(body)), True)
    ranged = await asyncio.to_thread(client.get, "/h/large.m4s", "Range: bytes=70000-9000000")
    assert (ranged[0], ranged[2] == LARGE[70000:9000001]) == (206, True)
    assert (await asyncio.to_thread(client.get, "/h/none"))[0] == 404
    client.socket.sendall(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n")
    assert (await asyncio.to_thread(client.reply))[0] == 400
    assert await asyncio.to_thread(client.at_end)
    client.close()
    sent = sum(len(body) for body in CONTENT.values()) + 9000001 - 70000
    assert bench.count("delivery_tls_sent_bytes:userspace") == bench.count("delivery_sent_bytes") == sent
    assert bench.count("delivery_sendfile_bytes") == bench.count("delivery_sendfile_calls") == 0
    assert bench.count("delivery_tls_writes") >= LARGE_BYTES // TURN_BYTES
    assert bench.count("delivery_tls_handshakes:full") == 1


@pytest.mark.parametrize("version", [V12, V13])
async def test_tls_answers_pipelined_requests_in_order(make: Callable[..., TlsBench], version: ssl.TLSVersion) -> None:
    client = await make().viewer(version)
    names = ["small.m3u8", "none", "large.m4s", "empty.vtt", "small.m3u8"] * 8
    client.socket.sendall(b"".join(b"GET /h/%b HTTP/1.1\r\nHost: a\r\n\r\n" % name.encode() for name in names))
    for name in names:
        status, _, body = await asyncio.to_thread(client.reply)
        assert (status, body == CONTENT.get(name, body)) == (200 if name in CONTENT else 404, True)
    client.close()


SIZES = [1, CHUNK_BYTES - 700, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, TURN_BYTES, TURN_BYTES + 1, 3_000_001]


@pytest.mark.parametrize("version", [V12, V13])
async def test_tls_sends_exact_bytes_to_slow_readers(
    make: Callable[..., TlsBench], tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """Small buffers at both ends: nearly every write is taken in part, and repeated from another place in memory."""
    (tmp_path / "s").mkdir()
    content = {f"{size}.m4s": os.urandom(size) for size in SIZES}
    bench = make(store_of(tmp_path / "s", content))
    bench.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    bench.acceptor._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)

    def take(client: Viewer) -> list[bytes]:
        bodies = []
        for name in content:
            client.ask(f"/h/{name}")
            bodies.append(client.reply()[2])
        return bodies

    clients = [await bench.viewer(version, receive_bytes=4096) for _ in range(3)]
    for bodies in await asyncio.gather(*(asyncio.to_thread(take, client) for client in clients)):
        assert bodies == list(content.values())
    assert bench.count("delivery_sends_blocked") > 3 * len(SIZES)
    for client in clients:
        client.close()


async def test_tls_cuts_stalled_reader_by_reset(make: Callable[..., TlsBench], monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make()
    client = await bench.viewer(receive_bytes=4096)
    client.ask("/h/large.m4s")
    await until(lambda: bench.count("delivery_sends") == 1)
    (session,) = bench.service.sessions
    for later_s in (60, 120):
        session.check(bench.service.now_s + later_s)
    assert bench.count("delivery_sends_cut:stalled") == 1
    assert await asyncio.to_thread(client.is_cut)
    client.close()


async def test_tls_counts_reader_that_leaves(make: Callable[..., TlsBench]) -> None:
    bench = make()
    client = await bench.viewer(receive_bytes=4096)
    client.ask("/h/large.m4s")
    await until(lambda: bench.count("delivery_sends") == 1)
    client.close()
    await until(lambda: bench.count("delivery_sends_cut:client") == 1)


async def test_tls_cuts_pack_shorter_than_promised(make: Callable[..., TlsBench], tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    body = os.urandom(2_000_000)
    device = store_of(tmp_path / "s", {"v.m4s": body})
    bench = make(device)
    client = await bench.viewer()
    assert (await asyncio.to_thread(client.get, "/h/v.m4s"))[2] == body
    (pack,) = (device / "packs").iterdir()
    os.truncate(pack, 1_000_000)
    client.ask("/h/v.m4s")
    assert await asyncio.to_thread(client.is_cut)
    assert bench.count("delivery_sends_cut:pack") == 1
    client.close()
    again = await bench.viewer()
    assert (await asyncio.to_thread(again.get, "/h/v.m4s"))[0] == 404
    again.close()


async def test_tls_takes_garbled_record_for_lost_connection(make: Callable[..., TlsBench]) -> None:
    bench = make()
    client = await bench.viewer()
    await asyncio.to_thread(client.get, "/h/small.m3u8")
    raw = socket.socket(fileno=os.dup(client.socket.fileno()))
    raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
    await until(lambda: bench.count("delivery_connections") == 0)
    raw.close()
    client.close()


async def test_tls_refuses_renegotiation(make: Callable[..., TlsBench]) -> None:
    """A peer that renegotiates makes the server sign again and again; RFC 9325 §3.5."""
    bench = make()
    assert bench.handshakes is not None
    assert bench.handshakes._contexts.default.options & ssl.OP_NO_RENEGOTIATION
