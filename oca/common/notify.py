"""Tells a service manager how a program is, by the datagrams of sd_notify(3); nothing where there is none."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """Send ``state``, such as ``READY=1``, to the socket that ``NOTIFY_SOCKET`` names."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    # A service manager that went away must not take the daemon with it.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.connect(address)
        sender.send(state.encode())


def notify_alive(status: str) -> None:
    """Say that the program's own loop turns, and how it is in a line, to a manager that watches for it.

    Call it from that loop, a few times in ``WatchdogSec=``: a manager that hears nothing for so long starts anew.
    """
    if os.environ.get("WATCHDOG_USEC"):
        notify(f"WATCHDOG=1\nSTATUS={status.splitlines()[0] if status else ''}")
