"""Asks what may hang (a device, the kernel) in a thread of its own, and waits for the answer only so long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from oca.common.clock import monotonic_s
from oca.common.threads import in_thread

Answer = TypeVar("Answer")


class Probe(Generic[Answer]):
    """One question, asked by one thread at a time: while an answer is outstanding it is not asked again, and all who
    ask meanwhile get that one.

    The threads are daemons: one that hangs in the kernel neither piles up others nor keeps the process from ending.
    """

    def __init__(self, ask: Callable[[], Answer], *, name: str) -> None:
        self._ask = ask
        self._name = name
        self._outstanding: asyncio.Future[Answer] | None = None
        self._asked_at = 0.0

    async def answer(self, timeout_s: float) -> Answer | float:
        """The answer, or for how many seconds it has been outstanding; what ``ask`` raises is raised here."""
        if self._outstanding is None:
            self._asked_at = monotonic_s()
            self._outstanding = in_thread(self._ask, name=self._name)
        asked = self._outstanding
        await asyncio.wait([asked], timeout=timeout_s)
        if not asked.done():
            return monotonic_s() - self._asked_at
        if self._outstanding is asked:  # whoever waited for the same answer has not let go of it yet
            self._outstanding = None
        return asked.result()
