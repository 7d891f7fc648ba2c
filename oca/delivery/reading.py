"""When a viewer's socket is read from: not while enough of it waits here, nor while the kernel is short of memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from oca.delivery.metrics import DELIVERY_SLOTS
from oca.delivery.send_errors import SHORTAGE_PAUSE_S

_MEMORY_PAUSES = DELIVERY_SLOTS["delivery_memory_pauses"]


def _call_nobody() -> None:
    """In place of a session that is gone."""


class Reading:
    """Has the loop call ``readable`` while ``on``.

    Raises:
        OSError: The socket cannot be watched: no memory, or no more watches for this user (epoll_ctl(2)).
    """

    __slots__ = ("_counts", "_fileno", "_loop", "_readable", "_resting", "on")

    def __init__(
        self, fileno: int, loop: asyncio.AbstractEventLoop, counts: memoryview[int], readable: Callable[[], None]
    ) -> None:
        self._fileno = fileno
        self._loop = loop
        self._counts = counts
        self._readable = readable
        self._resting: asyncio.TimerHandle | None = None
        self.on = True
        loop.add_reader(fileno, readable)

    def pause(self) -> None:
        """Leave what comes in the kernel."""
        if self.on:
            self.on = False
            self._loop.remove_reader(self._fileno)

    def resume(self) -> None:
        """Read on, if not at once then when there is memory for it again."""
        if self.on or self._resting is not None:
            return
        try:
            self._loop.add_reader(self._fileno, self._readable)
        except OSError:
            self.rest()
        else:
            self.on = True

    def rest(self) -> None:
        """Look away for a moment: while the kernel lacks memory the socket would count as readable all the time."""
        self._counts[_MEMORY_PAUSES] += 1
        self.pause()
        self._resting = self._loop.call_later(SHORTAGE_PAUSE_S, self._rested)

    def stop(self) -> None:
        """For good; also lets go of whom to call, so that an ended connection needs no collector to be freed."""
        self.pause()
        self._readable = _call_nobody
        if self._resting is not None:
            self._resting.cancel()

    def _rested(self) -> None:
        self._resting = None
        self.resume()
