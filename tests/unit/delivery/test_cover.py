import asyncio
import os
import socket

from oca.delivery.control import Cover
from oca.delivery.cover import Covering
from oca.delivery.session import Session
from tests.unit.delivery.bench import SMALL, Benches, read_reply
from tests.waiting import WAIT_S

GET = b"GET /h/small.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n"


async def fetch(address: tuple[str, int], limit_s: float = WAIT_S) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(GET)
    try:
        async with asyncio.timeout(limit_s):
            return (await read_reply(reader))[2]
    finally:
        writer.close()


async def unanswered(address: tuple[str, int]) -> bool:
    """Whether nobody answers for a while."""
    try:
        await fetch(address, 0.3)
    except TimeoutError:
        return True
    return False


async def test_covering_accepts_from_what_it_is_told_and_no_longer_than_told(benches: Benches) -> None:
    service = benches().service
    with socket.create_server(("127.0.0.1", 0)) as empty, socket.create_server(("127.0.0.1", 0)) as kept:
        siblings = [os.dup(empty.fileno()), os.dup(kept.fileno())]
        covering = Covering(service, siblings, plain=Session, secure=None)
        assert await unanswered(empty.getsockname())
        covering.take(Cover(plain=(siblings[0],)))
        covering.take(Cover(plain=(siblings[0],)))  # told again when another one ends
        assert await fetch(empty.getsockname()) == SMALL
        assert await unanswered(kept.getsockname())
        covering.take(Cover())
        assert await unanswered(empty.getsockname())
        covering.close()


async def test_covering_leaves_its_own_sockets_to_the_worker_and_tls_where_it_speaks_none(benches: Benches) -> None:
    service = benches().service
    with socket.create_server(("127.0.0.1", 0)) as own, socket.create_server(("127.0.0.1", 0)) as secure:
        covering = Covering(service, [os.dup(secure.fileno())], plain=Session, secure=None)
        covering.take(Cover(plain=(own.fileno(),), secure=tuple(covering.siblings)))
        assert await unanswered(own.getsockname())
        assert await unanswered(secure.getsockname())
        covering.close()


async def test_covering_lets_go_of_every_socket_as_it_closes(benches: Benches) -> None:
    service = benches().service
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    covering = Covering(service, [os.dup(listener.fileno())], plain=Session, secure=None)
    covering.take(Cover(plain=tuple(covering.siblings)))
    listener.close()
    assert await fetch(address) == SMALL
    covering.close()
    try:
        await fetch(address)
    except ConnectionRefusedError:
        return
    raise AssertionError("someone still listens")
