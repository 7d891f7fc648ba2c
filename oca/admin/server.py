"""The admin API's socket: bound here, or held already by whoever started this process.

It listens before the daemon's workers start, so that an address that is taken is told of at once; what answers on it is
loaded while they load.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from oca.common.addresses import Endpoint, bind_remedy
from oca.common.errors import ConfigError
from oca.common.metrics import Family

if TYPE_CHECKING:
    from aiohttp import web

    from oca.admin.api import Appliance

Told = tuple[Iterable[Family], Callable[[], Mapping[str, float]]]
"""Declared metrics, and what reads their values."""


class AdminServer:
    """Listens on one address until closed; ``socket`` can be handed to a successor."""

    def __init__(self, listener: socket.socket) -> None:
        self.socket = listener
        self._runner: web.AppRunner | None = None

    @classmethod
    def listen(cls, endpoint: Endpoint, held: Sequence[socket.socket]) -> AdminServer:
        """Listen at ``endpoint``, on the first socket ``held`` for it, if there is one; ``serve`` answers.

        Raises:
            ConfigError: The address cannot be listened on.
        """
        return cls(held[0] if held else _listen(endpoint))

    async def serve(self, appliance: Appliance, told: Iterable[Told], host_names: Collection[str]) -> None:
        """Show and drive ``appliance``.

        Args:
            appliance: The daemon.
            told: What ``/metrics`` shows.
            host_names: Names that browsers may call it by, beside addresses.
        """
        from aiohttp import web  # noqa: PLC0415 - an HTTP server takes as long to load as a worker

        from oca.admin.api import admin_app  # noqa: PLC0415
        from oca.common.metrics_collector import registry_of  # noqa: PLC0415

        self._runner = web.AppRunner(
            admin_app(appliance, registry_of(*told), host_names),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=1.0,
            auto_decompress=False,  # what nobody reads would be inflated too, to skip it
        )
        await self._runner.setup()
        await web.SockSite(self._runner, self.socket).start()

    async def close(self) -> None:
        """Stop listening; answers under way get a second. Connections in the queue are a successor's."""
        if self._runner is not None:
            await self._runner.cleanup()
        self.socket.close()


def _listen(endpoint: Endpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    try:
        return socket.create_server((endpoint.host, endpoint.port), family=family)
    except OSError as error:
        raise ConfigError(
            f"[admin] listen = {endpoint.authority!r}: {os.strerror(error.errno or 0).lower()}",
            remedy=bind_remedy(endpoint, error.errno, setting="[admin] listen"),
        ) from None
