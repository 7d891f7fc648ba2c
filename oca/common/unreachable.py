"""Why a server cannot be reached, as an operator reads it."""

from __future__ import annotations

import os
import socket
import ssl

import aiohttp


def failure(error: Exception) -> str:
    """Why a request failed, in the words of the system or TLS where there are any; empty of errors that say nothing."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    tls = next((each for each in (cause, cause.__cause__) if isinstance(each, ssl.SSLError)), None)
    if tls is not None:  # its errno is the library's, not the system's
        reason = (getattr(tls, "reason", None) or "").replace("_", " ").lower()
        return f"TLS: {getattr(tls, 'verify_message', '') or reason or tls.strerror}"[:200]
    if isinstance(cause, OSError) and cause.errno and not isinstance(cause, socket.gaierror):
        return os.strerror(cause.errno)
    return str(getattr(cause, "strerror", None) or error)[:200]
