"""Keeps web pages from driving the admin API through an operator's browser. Pure.

A page can make a browser send requests to loopback. It cannot set a JSON content type without a preflight that we
never grant, and by rebinding its own host name to our address it betrays itself in the Host header.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from oca.common.messages import Problem


def refusal(
    *, method: str, host: str, origin: str | None, content_type: str, host_names: Collection[str]
) -> Problem | None:
    """Why a request must not be served; None where it may.

    Args:
        method: Of the request.
        host: The Host header, with its port.
        origin: The Origin header, as browsers send it with every request that can change something.
        content_type: Media type of the body, without parameters.
        host_names: Names that the API may be called by, beside localhost and IP addresses.
    """
    name = _name_of(host)
    if name != "localhost" and name not in {known.lower() for known in host_names} and not _is_address(name):
        return Problem(
            title=f"This API does not go by the name {host[:100]!r}",
            status=421,
            remedy="call it by its address, or add the name to [admin] host_names",
        )
    if method in ("GET", "HEAD"):
        return None
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return Problem(title=f"Pages of {origin[:100]!r} may not change anything here", status=403)
    if content_type != "application/json":
        return Problem(title="Send Content-Type: application/json", status=415)
    return None


def _name_of(host: str) -> str:
    """The host without its port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
