"""The one owner of task creation, so that no task and no error is lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from oca.common.log import get_logger

Result = TypeVar("Result")
_log = get_logger("tasks")


class Tasks:
    """Background tasks with one owner: each failure is logged with its name, and ``close`` ends them all."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Run ``work`` in the background until it ends or ``close`` is called."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def keep_up(self, work: Callable[[], Awaitable[None]], *, name: str, pause_s: float) -> None:
        """Run ``work`` for ever: a fault in one part must not end the others, nor go unseen."""

        async def keep() -> None:
            while True:
                try:
                    await work()
                except Exception as error:  # noqa: BLE001 - the seam that keeps one part's fault from the others
                    _log.error("a part failed and is started again", failed=name, exc_info=error)
                await asyncio.sleep(pause_s)

        self.start(keep(), name=name)

    async def close(self) -> None:
        """Cancel what still runs and wait until it has ended."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            _log.error("background task failed", task=task.get_name(), error=str(error), exc_info=error)


class LoopThread:
    """An event loop in a daemon thread of its own, for work that callers in other threads wait for."""

    def __init__(self, *, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._tasks = Tasks()
        self._thread = threading.Thread(target=self.loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, Any], *, name: str) -> None:
        """Run ``work`` there until it ends or ``close`` is called."""
        self.loop.call_soon_threadsafe(lambda: self._tasks.start(work, name=name))

    def ask(self, work: Coroutine[Any, Any, Result], *, timeout_s: float) -> Result:
        """What ``work`` returns or raises there; not to be called from that loop.

        Raises:
            TimeoutError: It takes longer; it is cancelled.
        """
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result(timeout_s)
        finally:
            future.cancel()

    def close(self) -> None:
        """End what runs there, and the thread. Work that swallows its cancellation is cancelled again, then left."""
        for _ in range(3):
            try:
                self.ask(self._tasks.close(), timeout_s=2.0)
                break
            except TimeoutError:
                continue
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(2.0)
        if not self._thread.is_alive():
            self.loop.close()
