"""The demo's folder and addresses are its own while it runs, or it says who is in the way."""

from __future__ import annotations

import fcntl
import os
import socket

from demo.places import Places
from oca.common.errors import OcaError


class StartError(OcaError):
    """The demo cannot start here."""

    source = "operator"


def claim(places: Places) -> int:
    """Make sure that nobody else runs in this folder or on these addresses.

    Returns:
        A descriptor that holds the folder until it is closed.

    Raises:
        StartError: Somebody does.
    """
    places.run.mkdir(parents=True, exist_ok=True)
    lock = os.open(places.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        _lock(lock, places)
        for who, address in places.addresses():
            _try(who, address)
    except StartError:
        os.close(lock)
        raise
    return lock


def _lock(lock: int, places: Places) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StartError(
            f"another demo uses {places.run}", remedy="stop it (Ctrl-C there), or choose another --dir and --net"
        ) from None


def _try(who: str, address: str) -> None:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            raise StartError(
                f"{address}, for {who}: {error.strerror}",
                remedy="stop what listens there, or move the demo with --net 127.0.7",
            ) from None
