from __future__ import annotations

import errno
import socket

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from fill.http import failure

KEY = ConnectionKey("fra1-b", 8080, False, True, None, None, None)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNREFUSED, "Connect call failed")), "Connection refused"),
        (aiohttp.ClientConnectorError(KEY, socket.gaierror(-2, "Name not known")), "Name not known"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "Connection reset by peer"),
        (aiohttp.ServerDisconnectedError(), "Server disconnected"),
        (TimeoutError(), ""),
    ],
)
def test_failure_is_told_in_the_systems_words(error: Exception, said: str) -> None:
    assert failure(error) == said
