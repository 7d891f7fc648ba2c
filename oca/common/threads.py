"""Runs what may hang (a device, a lock, the kernel) in a daemon thread, so that it cannot keep the process from ending.

The event loop's own executor is not for that: the end of the loop waits for every thread of it.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar, cast

Result = TypeVar("Result")


def in_thread(work: Callable[[], Result], *, name: str) -> asyncio.Future[Result]:
    """Begin ``work`` in a daemon thread of its own: a future of what it returns or raises.

    Cancelling the future leaves the thread running, and drops what it comes back with.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()
    waits = [future]

    def settle(value: Result | None, error: Exception | None) -> None:
        future = waits.pop()
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast(Result, value))

    def run() -> None:
        # An error names this frame: where that named the error or the future, only Python's collector would free them.
        try:
            outcome: tuple[Result | None, Exception | None] = (work(), None)
        except Exception as error:  # noqa: BLE001 - raised again where the future is awaited
            outcome = (None, error)
        with suppress(RuntimeError):  # the loop has closed: nobody waits any more
            loop.call_soon_threadsafe(settle, *outcome)
        del outcome

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


class Crew:
    """Daemon threads that do work that may hang, and bring the results back to the event loop many at a time.

    As many as there is work in hand: whoever hands it out keeps the bound. They stay until ``close``.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, name: str) -> None:
        self._loop = loop
        self._name = name
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._done: deque[Callable[[], None]] = deque()
        self._called = False
        self._threads = 0
        self._in_hand = 0

    def run(self, work: Callable[[], Result], done: Callable[[Result | Exception], None]) -> None:
        """Begin ``work``; on the event loop ``done`` is told what it returned or raised."""

        def run() -> None:
            result: Result | Exception
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - told to whoever handed out the work
                result = error
            self._done.append(lambda: done(result))

        self._in_hand += 1
        if self._in_hand > self._threads:
            self._threads += 1
            threading.Thread(target=self._serve, name=f"{self._name}-{self._threads}", daemon=True).start()
        self._work.put(run)

    def close(self) -> None:
        """End the threads that rest; those that hang are left to the end of the process."""
        for _ in range(self._threads):
            self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            if not self._called:
                self._called = True
                try:
                    self._loop.call_soon_threadsafe(self._settle)
                except RuntimeError:  # the loop has closed: nobody waits any more
                    return

    def _settle(self) -> None:
        self._called = False
        while self._done:
            self._in_hand -= 1
            self._done.popleft()()
