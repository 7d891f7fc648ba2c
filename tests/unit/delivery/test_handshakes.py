"""Handshakes: bounded, in turns, ended when too slow, each failure with its reason."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from oca.delivery import handshakes, kernel_tls
from oca.delivery.handshakes import _reason
from tests.unit.delivery.bench import CONTENT
from tests.unit.delivery.test_certificates import replaced
from tests.unit.delivery.test_tls_connection import V12, V13, TlsBench
from tests.unit.delivery.tls_bench import Viewer, issue, trusting, viewer
from tests.waiting import WAIT_S, until

Make = Callable[..., TlsBench]
CLIENT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture
async def make(device: Path, tmp_path: Path) -> AsyncIterator[Make]:
    made: list[TlsBench] = []

    def start(**settings: object) -> TlsBench:
        made.append(TlsBench(device, tmp_path, **settings))
        return made[-1]

    yield start
    for each in made:
        await each.close()


def connect(bench: TlsBench) -> socket.socket:
    return socket.create_connection(bench.address, timeout=WAIT_S)


def hello(name: str = "a.test") -> bytes:
    """A client's first flight."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = CLIENT.wrap_bio(there, back, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return back.read()


@pytest.mark.parametrize("version", [V12, V13])
async def test_handshake_gives_certificate_by_name(make: Make, version: ssl.TLSVersion) -> None:
    bench = make()
    for name, expected in {"a.test": "a", "b.test": "b", "www.c.test": "c", "127.0.0.1": "a"}.items():
        client = await bench.viewer(version, name=name)
        certificate = client.socket.getpeercert()
        assert certificate is not None
        assert certificate["subject"] == ((("commonName", expected),),)
        assert (await asyncio.to_thread(client.get, "/h/small.m3u8"))[2] == CONTENT["small.m3u8"]
        client.close()


@pytest.mark.parametrize("version", [V12, V13])
async def test_handshake_is_resumed_also_under_other_certificates(make: Make, version: ssl.TLSVersion) -> None:
    bench = make()
    context = trusting(*bench.tables, version=version)
    first = await viewer(bench.address, context)
    await asyncio.to_thread(first.get, "/h/small.m3u8")
    bench.reload()
    second = await viewer(bench.address, context, session=first.socket.session)
    assert second.socket.session_reused
    assert (await asyncio.to_thread(second.get, "/h/small.m3u8"))[0] == 200
    assert bench.count("delivery_tls_handshakes:full") == bench.count("delivery_tls_handshakes:resumed") == 1
    first.close()
    second.close()


async def test_reload_changes_certificate_of_new_connections_alone(make: Make, tmp_path: Path) -> None:
    bench = make()
    old = bench.tables[0]
    before = await bench.viewer()
    serial = before.socket.getpeercert()["serialNumber"]  # type: ignore[index]
    issue(tmp_path, "a", ["a.test"])
    bench.reload()
    after = await bench.viewer()
    assert after.socket.getpeercert()["serialNumber"] != serial  # type: ignore[index]
    assert (await asyncio.to_thread(before.get, "/h/large.m4s"))[2] == CONTENT["large.m4s"]
    before.close()
    after.close()
    # Half of a renewal: the worker keeps what it has, also where the supervisor saw whole files a moment ago.
    good = bench.keeper.material
    replaced(old, key=b"x")
    assert bench.handshakes is not None
    bench.handshakes.reload(good)
    again = await bench.viewer()
    again.close()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "http"),
        (b"\x00" * 64, "malformed"),
        (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", "malformed"),
        (b"", "gone"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"?" * 39, "gone"),
    ],
    ids=["http", "zeros", "short-hello", "silence", "half-hello"],
)
async def test_handshake_ends_at_once_on_what_is_no_tls(make: Make, said: bytes, reason: str) -> None:
    bench = make()
    client = connect(bench)
    client.sendall(said)
    if reason == "gone":
        client.shutdown(socket.SHUT_WR)
    await until(lambda: bench.count(f"delivery_tls_handshakes_failed:{reason}") == 1)
    assert bench.count("delivery_connections") == 0
    if reason == "http":
        with pytest.raises(ConnectionResetError):
            client.recv(100)
    client.close()


async def test_handshake_fails_by_version_cipher_and_distrust(make: Make) -> None:
    bench = make(version_min="1.3")
    context = trusting(*bench.tables, version=V12)
    with pytest.raises(ssl.SSLError):
        await viewer(bench.address, context)
    await until(lambda: bench.count("delivery_tls_handshakes_failed:version") == 1)
    with pytest.raises(ssl.SSLCertVerificationError):
        await viewer(bench.address, ssl.create_default_context())
    # TLS 1.3: the server is done before the client has looked at the certificate; the alert ends a connection then.
    await until(lambda: bench.count("delivery_connections") == 0)
    bench = make()
    context = trusting(*bench.tables, version=V12)
    context.set_ciphers("AES256-SHA256")
    with pytest.raises(ssl.SSLError):
        await viewer(bench.address, context)
    await until(lambda: bench.count("delivery_tls_handshakes_failed:cipher") == 1)
    context = ssl.create_default_context()
    context.maximum_version = V12
    with pytest.raises(ssl.SSLCertVerificationError):
        await viewer(bench.address, context)
    await until(lambda: bench.count("delivery_tls_handshakes_failed:certificate") == 1)


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], ids=["silence", "half-hello"])
async def test_handshake_that_takes_too_long_is_reset(make: Make, said: bytes) -> None:
    bench = make(handshake_timeout_s=0.3)
    client = connect(bench)
    client.sendall(said)
    await until(lambda: bench.count("delivery_tls_handshakes_failed:time-out") == 1)
    with pytest.raises(ConnectionResetError):
        client.recv(100)
    client.close()


async def test_slow_handshakes_give_way_while_others_wait(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "CROWDED_S", 0.2)
    bench = make(handshakes_max=4)
    slow = [connect(bench) for _ in range(12)]
    for client in slow:
        client.sendall(hello()[:50])
    await until(lambda: bench.handshakes is not None and len(bench.handshakes._fresh) == 8)
    assert bench.count("delivery_tls_handshaking") == 12

    async def patient() -> Viewer:
        while True:
            with contextlib.suppress(OSError):  # it may itself be slow, on a busy machine
                return await bench.viewer()

    viewers = await asyncio.gather(*(patient() for _ in range(8)))
    assert bench.count("delivery_tls_handshakes_failed:crowded") >= 5
    for one in viewers:
        assert (await asyncio.to_thread(one.get, "/h/small.m3u8"))[0] == 200
        one.close()
    for client in slow:
        client.close()


async def test_flood_of_hellos_takes_one_step_a_turn(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make()
    turns: list[int] = []
    took = handshakes._Handshake.step

    def step(handshake: handshakes._Handshake) -> None:
        turns.append(turn)
        took(handshake)

    monkeypatch.setattr(handshakes._Handshake, "step", step)
    turn = 0
    flood = [connect(bench) for _ in range(60)]
    for client in flood:
        client.sendall(hello())
    async with asyncio.timeout(WAIT_S):
        while len(turns) < 60:
            turn += 1
            await asyncio.sleep(0)
    assert len(set(turns)) == len(turns)
    for client in flood:
        client.close()


async def test_transfers_go_on_amid_flood_of_hellos(make: Make) -> None:
    """Fifty clients that say hello and leave, over and over: a viewer's segments keep coming, every byte right."""
    bench = make()
    client = await bench.viewer()
    done = asyncio.Event()

    async def flood() -> None:
        while not done.is_set():
            reader, writer = await asyncio.open_connection(*bench.address)
            writer.write(hello())
            await reader.read(1)
            writer.transport.abort()
            await asyncio.sleep(0)

    floods = [asyncio.ensure_future(flood()) for _ in range(50)]
    for _ in range(2):
        assert (await asyncio.to_thread(client.get, "/h/large.m4s"))[2] == CONTENT["large.m4s"]
    done.set()
    await asyncio.gather(*floods)
    assert bench.count("delivery_tls_handshakes_failed:gone") > 50
    client.close()


async def test_drain_ends_silent_connections_and_answers_those_under_way(make: Make) -> None:
    bench = make()
    silent, begun = connect(bench), connect(bench)
    begun.sendall(hello()[:50])
    await until(lambda: bench.handshakes is not None and len(bench.handshakes._begun) == 1)
    draining = asyncio.ensure_future(bench.service.drain())
    await until(lambda: bench.count("delivery_tls_handshaking") == 1)
    assert silent.recv(1) == b""
    begun.close()
    await asyncio.wait_for(draining, WAIT_S)
    silent.close()


def test_reason_of_every_alert_is_declared() -> None:
    for name in ("TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_EXPIRED"):
        error = ssl.SSLError()
        error.reason = name
        assert _reason(error) == "certificate"
    for name, reason in {"TLSV1_ALERT_PROTOCOL_VERSION": "version", "BAD_EXTENSION": "malformed", "": "gone"}.items():
        error = ssl.SSLError()
        error.reason = name
        assert _reason(error) == reason


async def test_kernel_mode_is_told_by_the_socket(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a kernel that offers TLS but lacks a cipher, OpenSSL encrypts, and the connection counts as userspace."""
    bench = make()
    monkeypatch.setattr(handshakes.Handshakes, "kernel", property(lambda _: True))
    client = await bench.viewer()
    assert (await asyncio.to_thread(client.get, "/h/large.m4s"))[2] == CONTENT["large.m4s"]
    assert bench.count("delivery_tls_connections:ktls") == 0 or kernel_tls.is_offered()
    client.close()


__all__ = ["Viewer"]
