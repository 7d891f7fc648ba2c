"""The HTTP client that steering and sources are asked with, and its failures in words."""

from __future__ import annotations

import os
import socket

import aiohttp

from oca import __version__

READ_BUFFER_BYTES = 2**18


def new_session() -> aiohttp.ClientSession:
    """A client that keeps no cookies, undoes no encoding and reads no proxy settings."""
    return aiohttp.ClientSession(
        auto_decompress=False,
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"oca-fill/{__version__}"},
        read_bufsize=READ_BUFFER_BYTES,
    )


def failure(error: Exception) -> str:
    """Why a request failed, as an operator reads it: the system's words where there are any."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError) and cause.errno and not isinstance(cause, socket.gaierror):
        return os.strerror(cause.errno)
    return str(getattr(cause, "strerror", None) or error)[:200]
