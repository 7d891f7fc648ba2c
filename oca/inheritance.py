"""What this process was started with beside its settings: sockets that are open, and perhaps a predecessor.

systemd hands sockets over by ``LISTEN_FDS`` (sd_listen_fds(3)), a daemon that is being upgraded by ``OCA_SOCKETS``, and
with them one end of a socket pair by ``OCA_PREDECESSOR``. They are known by the address they are bound to.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import MutableMapping
from typing import Self

from oca.common.addresses import Endpoint
from oca.common.errors import ConfigError
from oca.succession import PREDECESSOR, SOCKETS, Predecessor

FIRST_DESCRIPTOR = 3


class Inheritance:
    """Open sockets that nobody has taken yet; ``predecessor`` is the daemon that this one follows, if any."""

    def __init__(self, sockets: list[socket.socket] | None = None, predecessor: Predecessor | None = None) -> None:
        self._sockets = sockets or []
        self.predecessor = predecessor

    @classmethod
    def claim(cls, environment: MutableMapping[str, str]) -> Self:
        """Take what ``environment`` names, and the names out of it, so that no child of ours believes they are its own.

        Raises:
            ConfigError: A descriptor is no socket that listens for TCP.
        """
        handed = environment.pop(SOCKETS, "").split(",")
        descriptors = [int(number) for number in handed if number]
        pid, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
        names = environment.pop("LISTEN_FDNAMES", "")
        if pid == str(os.getpid()) and count.isdecimal():
            descriptors += range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(count))
        channel = environment.pop(PREDECESSOR, "")
        predecessor = Predecessor(_socket(int(channel))) if channel else None
        return cls([_listening(each, names) for each in descriptors], predecessor)

    def take(self, endpoint: Endpoint) -> list[socket.socket]:
        """The sockets that are bound to ``endpoint``; any port where its port is 0."""
        taken = [each for each in self._sockets if _is_bound(each, endpoint)]
        self._sockets = [each for each in self._sockets if each not in taken]
        return taken

    def refuse_rest(self) -> None:
        """Close what a predecessor listened on and nobody took.

        Raises:
            ConfigError: systemd passed a socket that no setting names: whoever connects to it would wait for ever.
        """
        rest = [_address(each) for each in self._sockets]
        for each in self._sockets:
            each.close()
        self._sockets = []
        if rest and self.predecessor is None:
            raise ConfigError(
                f"the service manager passes sockets that no setting names: {', '.join(rest)}",
                remedy="put each into [delivery] listen or [admin] listen, or take it out of the .socket unit",
            )


def _socket(descriptor: int) -> socket.socket:
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)


def _listening(descriptor: int, names: str) -> socket.socket:
    try:
        found = _socket(descriptor)
        if found.family in (socket.AF_INET, socket.AF_INET6) and found.type == socket.SOCK_STREAM:
            return _checked(found)
        found.close()
        what = "not TCP"
    except OSError as error:
        what = error.strerror or "no socket"
    raise ConfigError(
        f"the service manager passes descriptor {descriptor} ({names or 'without a name'}), which is {what}",
        remedy="let the .socket unit have ListenStream= with an IP address and a port, nothing else",
    )


def _checked(found: socket.socket) -> socket.socket:
    """One that takes IPv4 as IPv6, too, would make all IPv4 viewers one client in every limit."""
    if found.family == socket.AF_INET6 and not found.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
        address = _address(found)
        found.close()
        raise ConfigError(
            f"the service manager passes {address}, a socket for IPv4 and IPv6 at once",
            remedy="set BindIPv6Only=ipv6-only in the .socket unit and list each address by itself",
        )
    return found


def _is_bound(found: socket.socket, endpoint: Endpoint) -> bool:
    host, port = found.getsockname()[:2]
    return ipaddress.ip_address(host) == ipaddress.ip_address(endpoint.host) and endpoint.port in (0, port)


def _address(found: socket.socket) -> str:
    host, port = found.getsockname()[:2]
    return Endpoint(host, port).authority
