"""Session ticket keys that all workers share, so that a client resumes with whichever worker it meets.

Each ``SSLContext`` makes keys of its own, and Python's ``ssl`` cannot set them; OpenSSL can
(``SSL_CTX_set_tlsext_ticket_keys``). It is called here by ``ctypes``, in the very library that ``ssl`` uses. Where the
context is in memory is CPython's own business, so that it is held against what is known of it before it is used, and
``resumes`` proves the outcome; where anything is otherwise, clients that change worker make a whole handshake.
"""

from __future__ import annotations

import _ssl
import contextlib
import ctypes
import ssl
import sys
from collections.abc import Callable

KEYS_BYTES = 80
"""A name of 16 bytes, 32 for HMAC-SHA256, 32 for AES-256."""
_KNOWN_VERSIONS = ((3, 11), (3, 12), (3, 13))
"""Their ``PySSLContext`` holds the ``SSL_CTX *`` right after the object's head."""
_GET_KEYS = 58
_SET_KEYS = 59
_SET_CACHE_MODE = 44
_CACHE_OFF = 0


def new_keys() -> bytes:
    """Fresh keys."""
    return ssl.RAND_bytes(KEYS_BYTES)


def set_keys(context: ssl.SSLContext, keys: bytes) -> bool:
    """Seal and open tickets of ``context`` with ``keys`` from now on; False where that cannot be done.

    The context's own cache of sessions is turned off: it would hold up to 20,480 sessions that the tickets hold too.
    """
    control = _control()
    address = _address(context) if control is not None else 0
    if control is None or not address or control(address, _GET_KEYS, 0, None) != KEYS_BYTES:
        return False
    control(address, _SET_CACHE_MODE, _CACHE_OFF, None)
    return control(address, _SET_KEYS, KEYS_BYTES, keys) == 1


def resumes(first: ssl.SSLContext, second: ssl.SSLContext) -> bool:
    """Whether a session that ``first`` began is resumed by ``second``; tried in memory, in some milliseconds."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    session = None
    reused = False
    for server in (first, second):
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        theirs = server.wrap_bio(up, down, server_side=True)
        ours = client.wrap_bio(down, up, session=session)
        for side in (ours, theirs, ours, theirs):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        theirs.write(b"-")  # TLS 1.3 hands out tickets after the handshake
        ours.read(1)
        session, reused = ours.session, bool(ours.session_reused)
    return reused


def _control() -> Callable[[int, int, int, bytes | None], int] | None:
    """``SSL_CTX_ctrl`` of the library behind ``ssl``; None where it cannot be had."""
    if sys.implementation.name != "cpython" or sys.version_info[:2] not in _KNOWN_VERSIONS:
        return None
    try:
        found = _library().SSL_CTX_ctrl
    except (OSError, AttributeError):
        return None
    found.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p)
    found.restype = ctypes.c_long
    return found


def _address(context: ssl.SSLContext) -> int:
    """Where OpenSSL's part of ``context`` is; 0 where what is there does not answer as it should."""
    address = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value or 0
    if not address or address % ctypes.sizeof(ctypes.c_void_p):
        return 0
    options = _library().SSL_CTX_get_options
    options.argtypes, options.restype = (ctypes.c_void_p,), ctypes.c_uint64
    return address if options(address) == context.options else 0


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(getattr(_ssl, "__file__", None))
