"""One probe: fetches an object from a delivery port as a player would, on a connection of its own. Owns its client."""

from __future__ import annotations

import asyncio
import ssl
import traceback

import aiohttp

from oca import __version__
from oca.common.digest import digest_hex
from oca.common.errors import ConfigError
from steering.probing.targets import Target

AGENT = "oca-steering-probe"
"""By this name appliances know that no viewer asks."""
BUSY = 429
"""An appliance that turns new viewers away because it is busy is alive."""


class Fetcher:
    """Probes; one HTTP client for all, without kept connections: a new one goes the way that new viewers go."""

    def __init__(self, *, timeout_s: float, ca_file: str) -> None:
        """Make ready.

        Raises:
            ConfigError: The file of authorities cannot be used.
        """
        self._timeout_s = timeout_s
        try:
            self._tls = ssl.create_default_context(cafile=ca_file or None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"probes.ca_file = {ca_file!r} cannot be used: {error}", remedy="give a PEM file of authorities"
            ) from None
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, target: Target) -> str:
        """Why the probe failed; empty where it succeeded."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._fetch(target)
        except (TimeoutError, aiohttp.ClientError, asyncio.IncompleteReadError, OSError) as error:
            why = self._why(error)
            _untie(error)
            return why

    async def close(self) -> None:
        """Let go of the client."""
        if self._session is not None:
            await self._session.close()

    async def _fetch(self, target: Target) -> str:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True, ssl=self._tls),
                headers={"User-Agent": f"{AGENT}/{__version__}", "Accept-Encoding": "identity"},
                auto_decompress=False,
            )
        async with self._session.get(target.url, allow_redirects=False) as response:
            wanted = target.wanted
            if wanted is None or response.status == BUSY:
                return ""
            if response.status != 200:
                return f"answers {response.status} for {wanted.path}, which it reported to hold"
            if response.content_length != wanted.bytes:
                return f"sends {response.content_length} bytes of {wanted.path}, which has {wanted.bytes}"
            if digest_hex(await response.content.readexactly(wanted.bytes)) != wanted.digest:
                return f"sends other bytes of {wanted.path} than were published"
            return ""

    def _why(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {self._timeout_s:g} s"
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return f"its certificate is refused: {error.certificate_error}"
        if isinstance(error, aiohttp.ClientConnectorError):
            return f"cannot connect: {(error.os_error.strerror or str(error.os_error)).lower()}"
        return f"ends in between: {error or type(error).__name__}"


def _untie(error: BaseException) -> None:
    """Have an error, and those that led to it, name no frames: some of these name it again, in knots of 80 objects."""
    following: list[BaseException | None] = [error]
    while following:
        found = following.pop()
        if found is not None and found.__traceback__ is not None:
            traceback.clear_frames(found.__traceback__)
            found.__traceback__ = None
            following += (found.__cause__, found.__context__)
