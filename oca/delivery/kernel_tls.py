"""Kernel TLS (kTLS): whether this kernel encrypts on sockets, and whether it does on one connection.

OpenSSL hands the keys over after the handshake where it may (``SSL_OP_ENABLE_KTLS``) and the kernel takes them; plain
``sendfile`` on the same socket then sends encrypted records. It says nothing when the kernel refuses, such as for want
of a crypto module, so that each connection is asked.
"""

from __future__ import annotations

import errno
import socket
import ssl

OPTION: int = getattr(ssl, "OP_ENABLE_KTLS", 1 << 3)
"""``SSL_OP_ENABLE_KTLS``; ``ssl`` names it from Python 3.12 on."""
_TCP_ULP = 31
_SOL_TLS = 282
_TLS_TX = 1


def is_offered() -> bool:
    """Whether the kernel has TLS; loads its module where that is allowed.

    A socket without a peer takes no protocol (ENOTCONN), but a kernel that lacks it says so before (ENOENT).
    """
    if not ssl.HAS_TLSv1_2 or ssl.OPENSSL_VERSION_INFO < (3, 0):
        return False
    with socket.socket() as probe:
        try:
            probe.setsockopt(socket.IPPROTO_TCP, _TCP_ULP, b"tls")
        except OSError as error:
            return error.errno == errno.ENOTCONN
    return True


def sends(connection: socket.socket) -> bool:
    """Whether the kernel encrypts what is sent on ``connection``."""
    try:
        return bool(connection.getsockopt(_SOL_TLS, _TLS_TX, 4))
    except OSError:
        return False
