"""TCP options of a listening socket, which the connections taken from it inherit: congestion control, unsent bytes."""

from __future__ import annotations

import socket

from oca.common.log import get_logger
from oca.delivery.pacing_settings import PacingTable

TCP_NOTSENT_LOWAT = 25
"""tcp(7), linux/tcp.h."""
_NAME_BYTES_MAX = 16
_log = get_logger("tcp")


def set_options(listener: socket.socket, settings: PacingTable, *, log: bool) -> None:
    """Set what the settings ask for; what this kernel does not have stays as the kernel has it.

    Args:
        listener: A listening socket.
        settings: What is wanted.
        log: Say what could not be had; several workers have the same to say.
    """
    if settings.congestion:
        try:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, settings.congestion.encode())
        except OSError as error:
            if log:
                _log.warning(
                    "the kernel does not give this congestion control; its own stays",
                    wanted=settings.congestion,
                    used=congestion_of(listener),
                    error=error.strerror,
                    remedy=f"load it with 'modprobe tcp_{settings.congestion}', allow it in "
                    "net.ipv4.tcp_allowed_congestion_control, then start oca again",
                )
    if settings.notsent_bytes_max:
        listener.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, settings.notsent_bytes_max)


def congestion_of(listener: socket.socket) -> str:
    """The congestion control in force."""
    told = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, _NAME_BYTES_MAX)
    return told.partition(b"\0")[0].decode("ascii", "replace")
