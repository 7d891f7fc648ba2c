"""The listening sockets: one per worker and address, bound by the supervisor and kept over a worker's crash."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence

from oca.common.addresses import Endpoint
from oca.common.errors import ConfigError

BACKLOG = 4096
_WILDCARDS = ("0.0.0.0", "::")
_SOMEWHERE = {socket.AF_INET: ("192.0.2.1", 9), socket.AF_INET6: ("2001:db8::1", 9)}
Take = Callable[[Endpoint], list[socket.socket]]
"""Gives the sockets that are open already for an address."""


def open_listeners(addresses: Sequence[str], workers: int, take: Take = lambda _: []) -> list[list[socket.socket]]:
    """Bind every address, once per worker; each worker listens on its own when it is ready.

    Each address is first bound without ``SO_REUSEPORT``: two daemons that both set it would silently share a port.

    Args:
        addresses: Where to listen.
        workers: How many sockets each address gets.
        take: Gives those that this process was started with for an address. More of them than workers make more
            workers, for to close one resets who is in its queue; one that does not share its port goes to every worker.

    Returns:
        For each worker, its sockets in the order of ``addresses``.

    Raises:
        ConfigError: Naming the address and what to do.
    """
    held = [take(Endpoint(*parse(address))) for address in addresses]
    workers = max([workers, *map(len, held)])
    try:
        for address, sockets in zip(addresses, held, strict=True):
            _complete(address, sockets, workers)
    except BaseException:
        close_listeners(held)
        raise
    return [[sockets[number % len(sockets)] for sockets in held] for number in range(workers)]


def _complete(address: str, held: list[socket.socket], workers: int) -> None:
    """Bind sockets until each worker has one; those of another owner may not let us share their port."""
    host, port = parse(address)
    is_ours = not held
    if is_ours:
        _bind(address, host, port, shared=False).close()
    for listener in held:
        _set_options(listener)
        port = listener.getsockname()[1]
    while len(held) < workers and (is_ours or held[0].getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)):
        try:
            held.append(_bind(address, host, port, shared=True))
        except ConfigError:
            if is_ours:
                raise
            return
        port = held[-1].getsockname()[1]


def close_listeners(opened: Sequence[Sequence[socket.socket]]) -> None:
    """Close all of them here; a worker's own copies stay."""
    for each in opened:
        for listener in each:
            listener.close()


def parse(address: str) -> tuple[str, int]:
    """``"192.0.2.1:80"`` or ``"[2001:db8::1]:80"`` → host and port.

    Raises:
        ConfigError: It is neither.
    """
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") and host.endswith("]") else socket.AF_INET
    host = host[1:-1] if family == socket.AF_INET6 else host
    try:
        socket.inet_pton(family, host)
    except OSError:
        raise ConfigError(
            f"delivery.listen {address!r} is no IP address and port", remedy='write it like "192.0.2.1:80"'
        ) from None
    if not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"delivery.listen {address!r}: port {port!r}, limit 65535", remedy="choose another port")
    return host, int(port)


def urls_of(listeners: Sequence[socket.socket], *, secure: int = 0, name: str = "") -> tuple[str, ...]:
    """The base URLs that the sockets are reached by.

    Args:
        listeners: One worker's; the address of a wildcard is the one this machine would send from.
        secure: How many of them, the last ones, speak TLS; theirs come first.
        name: What the certificate is for; empty: players go by address.
    """
    plain = len(listeners) - secure
    return _urls(listeners[plain:], "https", name) + _urls(listeners[:plain], "http", "")


def _urls(listeners: Sequence[socket.socket], scheme: str, name: str) -> tuple[str, ...]:
    urls: dict[str, None] = {}
    for listener in listeners:
        host, port = listener.getsockname()[:2]
        if name:
            host = name
        elif host in _WILDCARDS:
            host = _own_address(listener.family)
        urls[f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"] = None
    return tuple(urls)


def _bind(address: str, host: str, port: int, *, shared: bool) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _set_options(listener)
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(f"delivery.listen {address}: {_told(error)}", remedy=_remedy(error, address)) from None
    return listener


def _set_options(listener: socket.socket) -> None:
    """Connections inherit it: the end of a body must not wait for the client's acknowledgement (Nagle)."""
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _told(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _remedy(error: OSError, address: str) -> str:
    if error.errno == errno.EADDRINUSE:
        port = address.rpartition(":")[2]
        return f"stop the program that holds it (ss -ltnp 'sport = :{port}' names it) or choose another port"
    if error.errno == errno.EADDRNOTAVAIL:
        return "that address is not on this machine; see `ip address`"
    if error.errno == errno.EACCES:
        return "choose a port of 1024 or more, or give the service CAP_NET_BIND_SERVICE"
    return "choose another address"


def _own_address(family: socket.AddressFamily) -> str:
    """The address the kernel would send from; connecting a datagram socket sends nothing."""
    loopback = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_SOMEWHERE[family])
        except OSError:  # no route: a machine of its own
            return loopback
        return str(probe.getsockname()[0])
