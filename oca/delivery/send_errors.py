"""What a failed call on a viewer's socket means, and how long to rest where the kernel is short of memory."""

from __future__ import annotations

import errno

WAIT = (errno.EAGAIN, errno.EINTR)
SHORTAGE = (errno.ENOBUFS, errno.ENOMEM)
PEER_GONE = (errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTUNREACH, errno.ENETUNREACH)
SHORTAGE_PAUSE_S = 0.1
"""Wait when the kernel is short of memory for sockets: the socket would count as writable all the while."""
