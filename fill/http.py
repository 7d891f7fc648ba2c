"""The HTTP client that steering and sources are asked with."""

from __future__ import annotations

import socket

import aiohttp
from aiohttp.connector import AddrInfoType

from oca import __version__

READ_BUFFER_BYTES = 2**18
BUFFERED_S = 0.1
"""What the kernel takes ahead of us, in seconds of the cap: a hundredth of the 10 s over which a cap is kept, yet as
much as is under way at once to a source 100 ms off."""
TUNED_RATE_MIN = 10_000_000
"""From this many bytes per second and connection on, the kernel tunes by itself: what it takes ahead (some 3 MB) is
little beside 10 s of such a cap, and ``net.core.rmem_max`` would bound what a far source can send."""
READ_AHEAD_S = 0.02
BUFFER_BYTES_MIN = 2**14


def new_session(*, rate_bytes_per_s_max: int = 0, connections: int = 1) -> aiohttp.ClientSession:
    """A client that keeps no cookies, undoes no encoding and reads no proxy settings.

    With a cap on the rate, so little is received ahead of being read that the cap holds on the wire, too.
    """
    share = rate_bytes_per_s_max / connections
    kernel_bytes = max(BUFFER_BYTES_MIN, int(share * BUFFERED_S))
    ahead_bytes = max(BUFFER_BYTES_MIN, int(share * READ_AHEAD_S)) if share else READ_BUFFER_BYTES

    def new_socket(address: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, _ = address
        opened = socket.socket(family, kind, protocol)
        if 0 < share < TUNED_RATE_MIN:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, kernel_bytes)
        return opened

    return aiohttp.ClientSession(
        auto_decompress=False,
        connector=aiohttp.TCPConnector(limit=0, socket_factory=new_socket),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"oca-fill/{__version__}"},
        read_bufsize=min(READ_BUFFER_BYTES, ahead_bytes),
    )


async def read_body(response: aiohttp.ClientResponse, bytes_max: int) -> bytearray | None:
    """The whole body, not copied once more, or None if it is larger than ``bytes_max``."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > bytes_max:
            response.close()
            return None
    return body
