import asyncio
import os
import socket

from oca.delivery.control import Cover
from oca.delivery.cover import Covering
from oca.delivery.session import Session
from tests.unit.delivery.bench import SMALL, Benches, read_reply

GET = b"GET /h/small.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n"


async def fetch(address: tuple[str, int]) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(GET)
    try:
        async with asyncio.timeout(0.5):
            return (await read_reply(reader))[2]
    finally:
        writer.close()


async def answered(address: tuple[str, int]) -> bool:
    try:
        return await fetch(address) == SMALL
    except TimeoutError:
        return False


async def test_covering_accepts_from_what_it_is_told_and_no_longer_than_told(benches: Benches) -> None:
    service = benches().service
    with socket.create_server(("127.0.0.1", 0)) as empty, socket.create_server(("127.0.0.1", 0)) as kept:
        siblings = [os.dup(empty.fileno()), os.dup(kept.fileno())]
        covering = Covering(service, siblings, plain=Session, secure=None)
        assert not await answered(empty.getsockname())
        covering.take(Cover(plain=(siblings[0],)))
        covering.take(Cover(plain=(siblings[0],)))  # told again when another one ends
        assert await answered(empty.getsockname())
        assert not await answered(kept.getsockname())
        covering.take(Cover())
        assert not await answered(empty.getsockname())
        covering.close()


async def test_covering_leaves_its_own_sockets_to_the_worker_and_tls_where_it_speaks_none(benches: Benches) -> None:
    service = benches().service
    with socket.create_server(("127.0.0.1", 0)) as own, socket.create_server(("127.0.0.1", 0)) as secure:
        covering = Covering(service, [os.dup(secure.fileno())], plain=Session, secure=None)
        covering.take(Cover(plain=(own.fileno(),), secure=tuple(covering.siblings)))
        assert not await answered(own.getsockname())
        assert not await answered(secure.getsockname())
        covering.close()


async def test_covering_lets_go_of_every_socket_as_it_closes(benches: Benches) -> None:
    service = benches().service
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    covering = Covering(service, [os.dup(listener.fileno())], plain=Session, secure=None)
    covering.take(Cover(plain=tuple(covering.siblings)))
    listener.close()
    assert await answered(address)
    covering.close()
    try:
        await fetch(address)
    except ConnectionRefusedError:
        return
    raise AssertionError("someone still listens")
