"""Addresses that a service listens on, as settings write them: ``192.0.2.1:80`` or ``[2001:db8::1]:80``. Pure."""

from __future__ import annotations

import errno
import ipaddress
from typing import Annotated, NamedTuple

from msgspec import Meta

from oca.common.errors import ConfigError

ListenAddress = Annotated[
    str,
    Meta(
        pattern=r"\A(\[[0-9a-fA-F:.]{2,45}\]|[0-9]{1,3}(\.[0-9]{1,3}){3}):[0-9]{1,5}\Z",
        extra={"form": "an IP address and a port, like 192.0.2.1:80 or [2001:db8::1]:80"},
    ),
]


class Endpoint(NamedTuple):
    """Where a socket is bound; ``host`` is an IP address without brackets."""

    host: str
    port: int

    @property
    def authority(self) -> str:
        """``host:port`` as a URL writes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def reachable(self) -> Endpoint:
        """Where to connect to from the same machine: a wildcard address is reached by loopback."""
        address = ipaddress.ip_address(self.host)
        if not address.is_unspecified:
            return self
        return Endpoint("127.0.0.1" if address.version == 4 else "::1", self.port)


def parse_listen(text: str, *, setting: str) -> Endpoint:
    """The endpoint that ``text`` names; port 0 lets the kernel choose.

    Raises:
        ConfigError: No such address or port; ``setting`` is named.
    """
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
        number = int(port)
    except ValueError:
        address, number = None, 0
    if address is None or number > 65535:
        raise ConfigError(
            f"{setting} = {text!r} is not an IP address and a port",
            remedy="write it like 192.0.2.1:80 or [2001:db8::1]:80",
        )
    return Endpoint(str(address), number)


def bind_remedy(endpoint: Endpoint, error_number: int | None, *, setting: str) -> str:
    """What to do where the system refuses to bind ``endpoint``, which ``setting`` names."""
    if error_number == errno.EADDRINUSE:
        return f"see what holds it with \"ss -ltnp 'sport = :{endpoint.port}'\", or set another {setting}"
    return f"set {setting} to an address of this machine ('ip address' lists them) and a port it may use"
