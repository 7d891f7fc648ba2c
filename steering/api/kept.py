"""Something that many ask for and that takes a while to make: made beside the event loop, and not anew each time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from oca.common.clock import monotonic_s

KEEP_S = 1.0
Made = TypeVar("Made")


class Kept(Generic[Made]):
    """The newest result of ``build``, at most ``keep_s`` old; ``build`` runs in a thread, one at a time."""

    def __init__(self, build: Callable[[], Made], *, keep_s: float | None = None) -> None:
        """``keep_s`` None: as long as a body is kept."""
        self._build = build
        self._keep_s = keep_s
        self._made: Made | None = None
        self._until_s = 0.0
        self._lock = asyncio.Lock()

    async def value(self) -> Made:
        """What is kept, made anew if it is too old."""
        async with self._lock:
            if self._made is None or monotonic_s() >= self._until_s:
                self._made = await asyncio.to_thread(self._build)
                self._until_s = monotonic_s() + (KEEP_S if self._keep_s is None else self._keep_s)
            return self._made


class KeptBody(Kept[bytes]):
    """The body of an answer."""

    async def body(self) -> bytes:
        """The kept bytes, built anew if they are too old."""
        return await self.value()
