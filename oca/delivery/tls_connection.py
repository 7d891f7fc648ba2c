"""A TLS connection that looks like a plain non-blocking socket, and the transports that send on it.

Sessions and their transport know nothing of TLS: what would block raises ``BlockingIOError``, whatever is wrong with
the peer's records is a lost connection, and ``shutdown`` says goodbye first (close_notify, RFC 8446 §6.1).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

from oca.delivery.metrics import DELIVERY_SLOTS
from oca.delivery.transport import Transport

RECORD_BYTES_MAX = 16384
"""RFC 8446 §5.1. Sessions receive at least so much at a time, so that no decrypted byte is left where epoll cannot see
it."""
CHUNK_BYTES = 128 * 1024
"""Read from the pack and encrypted by one call."""
TURN_BYTES = 2**20
"""Most that is encrypted for one connection before the others have their turn."""
_WANTS = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
_KTLS_BYTES = DELIVERY_SLOTS["delivery_tls_sent_bytes:ktls"]
_USERSPACE_BYTES = DELIVERY_SLOTS["delivery_tls_sent_bytes:userspace"]
_WRITES = DELIVERY_SLOTS["delivery_tls_writes"]
_view = memoryview(bytearray(CHUNK_BYTES))
"""One for all connections: what a call does not send is read anew for the next."""


class TlsConnection(ssl.SSLSocket):
    """What ``SSLContext.wrap_socket`` makes where this is its ``sslsocket_class``."""

    on_close: Callable[[], None] | None = None
    """Called once, when it closes."""

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Decrypted bytes, of one record at most; empty when the peer sends no more."""
        try:
            return super().recv(buflen, flags)
        except ssl.SSLError as error:
            raise _as_plain(error) from None

    def shutdown(self, how: int) -> None:
        """Say that no more comes; what is received from then on is not decrypted."""
        with contextlib.suppress(OSError, ValueError):  # the peer's goodbye is not waited for
            self.unwrap()
        super().shutdown(how)

    def close(self) -> None:
        """Close, and tell."""
        super().close()
        if self.on_close is not None:
            self.on_close()
            self.on_close = None


class KernelTlsTransport(Transport):
    """Where the kernel encrypts: head and body go out as on a plain socket, past OpenSSL."""

    scheme = b"https"
    __slots__ = ()

    def __init__(self, connection: TlsConnection, *parts: Any, **more: Any) -> None:
        super().__init__(connection, *parts, **more)
        self._send = super(ssl.SSLSocket, connection).send
        self._bytes_slot = self._small_slot = _KTLS_BYTES


class UserspaceTlsTransport(Transport):
    """Where OpenSSL encrypts in this process: bodies are read from the pack and written record by record."""

    scheme = b"https"
    __slots__ = ("_joined", "_set_option", "_write")

    def __init__(self, connection: TlsConnection, *parts: Any, **more: Any) -> None:
        super().__init__(connection, *parts, **more)
        self._write = connection.write
        self._set_option = connection.setsockopt
        self._joined = b""
        self._send = self._take
        self._move = self._encrypt
        self._joined_bytes_max = 2**63
        self._calls_slot, self._bytes_slot = _WRITES, _USERSPACE_BYTES
        self._small_slot = _USERSPACE_BYTES

    def _take(self, data: bytes, flags: int = 0) -> int:
        """Send ``data``, or keep it for the record that the body begins in (``MSG_MORE``)."""
        if flags & socket.MSG_MORE:
            self._joined = data
            return len(data)
        try:
            return self._write(data)
        except ssl.SSLError as error:
            raise _as_plain(error) from None

    def _encrypt(self, descriptor: int, offset: int, length: int) -> int:
        """As ``sendfile``: how much of the body is in the kernel's hands; 0 where the pack ends.

        OpenSSL hands the kernel each record by itself; ``TCP_CORK`` has them leave together.
        """
        if length + len(self._joined) <= RECORD_BYTES_MAX:
            return self._encrypt_records(descriptor, offset, length)
        self._set_option(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        try:
            return self._encrypt_records(descriptor, offset, min(length, TURN_BYTES))
        finally:
            with contextlib.suppress(OSError):  # the connection is lost: what comes next on it says so
                self._set_option(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    def _encrypt_records(self, descriptor: int, offset: int, length: int) -> int:
        """Read and write until all of ``length`` is with the kernel, or it takes no more.

        A write that would block has to be repeated with the same bytes at least (SSL_write(3)), which a pack always
        gives again; where in memory does not matter (``SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER``, which ``ssl`` sets).
        """
        moved, joined = 0, self._joined
        while moved < length:
            before = len(joined)
            got = os.preadv(descriptor, [_view[before : before + length - moved]], offset + moved)
            if not got:
                break
            if before:
                _view[:before] = joined
            try:
                self._write(_view[: before + got])
            except ssl.SSLError as error:
                if moved and isinstance(error, _WANTS):
                    break
                raise _as_plain(error) from None
            moved += got
            self._joined = joined = b""
        return moved


def _as_plain(error: ssl.SSLError) -> OSError:
    """The error of a plain socket that ``error`` amounts to; its own ``errno`` is a number of OpenSSL's."""
    if isinstance(error, _WANTS):
        return BlockingIOError(errno.EAGAIN, "would block")
    return ConnectionResetError(errno.ECONNRESET, f"TLS: {error.reason}")
