import contextlib
import socket
from collections.abc import Iterator

import pytest

from oca.delivery.acknowledged import acknowledged_bytes, queued_bytes
from tests.waiting import until


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Our side of a connection and the client's, which takes little."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.create_server((request.param, 0), family=family) as server, socket.socket(family) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(server.getsockname())
        ours, _ = server.accept()
        with ours:
            ours.setblocking(False)
            yield ours, client


async def test_kernel_tells_queued_from_acknowledged_bytes(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, client = pair
    handed = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            handed += ours.send(bytes(100_000))
    await until(lambda: acknowledged_bytes(ours) > 0)
    assert acknowledged_bytes(ours) + queued_bytes(ours) == handed
    before = acknowledged_bytes(ours)
    client.setblocking(False)
    taken = 0

    def take() -> bool:
        nonlocal taken
        with contextlib.suppress(BlockingIOError):
            taken += len(client.recv(2**20))
        return taken == handed

    await until(take)
    await until(lambda: queued_bytes(ours) == 0)
    assert acknowledged_bytes(ours) == handed > before
