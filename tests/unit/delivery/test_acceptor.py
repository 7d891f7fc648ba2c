import socket

from oca.delivery.acceptor import ACCEPTS_PER_TURN, Acceptor
from oca.delivery.room import ARRIVES_S
from tests.unit.delivery.bench import Benches
from tests.waiting import WAIT_S, until

GET = b"GET /h/small.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n"
QUEUED = ACCEPTS_PER_TURN + 6


def queue(address: tuple[str, int], count: int) -> list[socket.socket]:
    """Connections that ask, and that nobody has taken yet: the loop does not run meanwhile."""
    clients = [socket.create_connection(address, timeout=WAIT_S) for _ in range(count)]
    for client in clients:
        client.sendall(GET)
    return clients


async def test_acceptor_takes_whole_queue_as_it_closes(benches: Benches) -> None:
    bench = benches()
    listener = socket.create_server(("127.0.0.1", 0), backlog=QUEUED)
    acceptor = Acceptor(listener, bench.service)
    clients = queue(listener.getsockname(), QUEUED)
    acceptor.close()
    assert bench.count("delivery_connections_accepted") == QUEUED
    await until(lambda: bench.count("delivery_responses:200") == QUEUED)
    for client in clients:
        assert client.recv(17) == b"HTTP/1.1 200 OK\r\n"
        client.close()


async def test_acceptor_ends_who_never_asks_for_who_comes(benches: Benches) -> None:
    bench = benches(connections_max=3)
    silent = [socket.create_connection(bench.address, timeout=WAIT_S) for _ in range(3)]
    await until(lambda: bench.count("delivery_connections") == 3)
    early = socket.create_connection(bench.address, timeout=WAIT_S)
    await until(lambda: bench.count("delivery_connections_refused:connections") == 1)  # all may still be about to ask
    bench.service.now_s += ARRIVES_S + 1
    (late,) = queue(bench.address, 1)
    await until(lambda: bench.count("delivery_responses:200") == 1)
    assert bench.count("delivery_connections_gave_way") == 1
    assert late.recv(17) == b"HTTP/1.1 200 OK\r\n"
    for client in (*silent, early, late):
        client.close()


async def test_acceptor_keeps_its_bound_as_it_closes(benches: Benches) -> None:
    bench = benches(connections_max=4)
    listener = socket.create_server(("127.0.0.1", 0), backlog=QUEUED)
    acceptor = Acceptor(listener, bench.service)
    clients = queue(listener.getsockname(), 10)
    acceptor.close()
    assert bench.count("delivery_connections") == 4
    for client in clients:
        client.close()
