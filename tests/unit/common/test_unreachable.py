from __future__ import annotations

import errno
import socket
import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from oca.common.unreachable import failure

KEY = ConnectionKey("fra1-b", 8080, False, True, None, None, None)

EXPIRED = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)")
EXPIRED.verify_message = "certificate has expired"
PLAIN = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
PLAIN.reason = "WRONG_VERSION_NUMBER"


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNREFUSED, "Connect call failed")), "Connection refused"),
        (aiohttp.ClientConnectorError(KEY, socket.gaierror(-2, "Name not known")), "Name not known"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "Connection reset by peer"),
        (aiohttp.ServerDisconnectedError(), "Server disconnected"),
        (TimeoutError(), ""),
        (aiohttp.ClientConnectorCertificateError(KEY, EXPIRED), "TLS: certificate has expired"),
        (aiohttp.ClientConnectorSSLError(KEY, PLAIN), "TLS: wrong version number"),
        (caused(aiohttp.ClientOSError(*PLAIN.args), PLAIN), "TLS: wrong version number"),
        (ssl.SSLError(1, "no cipher"), "TLS: no cipher"),
    ],
)
def test_failure_is_told_in_the_systems_words(error: Exception, said: str) -> None:
    assert failure(error) == said
