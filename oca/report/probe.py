"""Asks what may hang (a device, the kernel) in a thread of its own, and waits for the answer only so long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from oca.common.clock import monotonic_s

Answer = TypeVar("Answer")


class Probe(Generic[Answer]):
    """One question, asked by one thread at a time: while an answer is outstanding it is not asked again.

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
            loop = asyncio.get_running_loop()
            self._outstanding = loop.create_future()
            threading.Thread(target=self._run, args=(loop, self._outstanding), name=self._name, daemon=True).start()
        await asyncio.wait([self._outstanding], timeout=timeout_s)
        if not self._outstanding.done():
            return monotonic_s() - self._asked_at
        done, self._outstanding = self._outstanding, None
        return done.result()

    def _run(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Answer]) -> None:
        try:
            answer = self._ask()
        except Exception as error:  # noqa: BLE001 - raised again where the answer is awaited
            self._tell(loop, future.set_exception, error)
        else:
            self._tell(loop, future.set_result, answer)

    @staticmethod
    def _tell(loop: asyncio.AbstractEventLoop, settle: Callable[..., None], value: object) -> None:
        with suppress(RuntimeError):  # the loop has closed: nobody waits any more
            loop.call_soon_threadsafe(settle, value)
