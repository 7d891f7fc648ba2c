"""A body that many ask for: built beside the event loop, and at most once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from oca.common.clock import monotonic_s

KEEP_S = 1.0


class KeptBody:
    """The newest result of ``build``, at most ``KEEP_S`` old; ``build`` runs in a thread, one at a time."""

    def __init__(self, build: Callable[[], bytes]) -> None:
        self._build = build
        self._body = b""
        self._until_s = 0.0
        self._lock = asyncio.Lock()

    async def body(self) -> bytes:
        """The kept bytes, built anew if they are too old."""
        async with self._lock:
            if not self._body or monotonic_s() >= self._until_s:
                self._body = await asyncio.to_thread(self._build)
                self._until_s = monotonic_s() + KEEP_S
            return self._body
