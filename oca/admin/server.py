"""The admin API's socket: bound here, or held already by whoever started this process."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence

from aiohttp import web

from oca.common.addresses import Endpoint
from oca.common.errors import ConfigError


class AdminServer:
    """Answers on one address until closed; ``socket`` can be handed to a successor."""

    def __init__(self, runner: web.AppRunner, listener: socket.socket) -> None:
        self._runner = runner
        self.socket = listener

    @classmethod
    async def start(cls, app: web.Application, endpoint: Endpoint, held: Sequence[socket.socket]) -> AdminServer:
        """Serve ``app`` at ``endpoint``, on the first socket ``held`` for it, if there is one.

        Raises:
            ConfigError: The address cannot be listened on.
        """
        listener = held[0] if held else _listen(endpoint)
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=1.0,
            auto_decompress=False,  # what nobody reads would be inflated too, to skip it
        )
        await runner.setup()
        await web.SockSite(runner, listener).start()
        return cls(runner, listener)

    async def close(self) -> None:
        """Stop listening; answers under way get a second. Connections in the queue are a successor's."""
        await self._runner.cleanup()


def _listen(endpoint: Endpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    try:
        return socket.create_server((endpoint.host, endpoint.port), family=family)
    except OSError as error:
        raise ConfigError(
            f"[admin] listen = {endpoint.authority!r}: {os.strerror(error.errno or 0).lower()}",
            remedy=f"see what holds it with 'ss -ltnp sport = {endpoint.port}', or set another [admin] listen"
            if error.errno == errno.EADDRINUSE
            else "set [admin] listen to an address of this machine ('ip address' lists them) and a port it may use",
        ) from None
