"""Runs what may hang (a device, a lock, the kernel) in a daemon thread, so that it cannot keep the process from ending.

The event loop's own executor is not for that: the end of the loop waits for every thread of it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

Result = TypeVar("Result")


def in_thread(work: Callable[[], Result], *, name: str) -> asyncio.Future[Result]:
    """Begin ``work`` in a daemon thread of its own: a future of what it returns or raises.

    Cancelling the future leaves the thread running, and drops what it comes back with.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(settler: Callable[..., None], value: object) -> None:
        if not future.done():
            settler(value)

    def run() -> None:
        settler: Callable[..., None]
        value: object
        try:
            settler, value = future.set_result, work()
        except Exception as error:  # noqa: BLE001 - raised again where the future is awaited
            settler, value = future.set_exception, error
        with suppress(RuntimeError):  # the loop has closed: nobody waits any more
            loop.call_soon_threadsafe(settle, settler, value)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
