"""Work beside answering that goes on whatever happens: a failure is logged, told at ``/health``, and tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from oca.common.errors import OcaError
from oca.common.log import get_logger
from oca.common.tasks import Tasks

RETRY_S = 1.0
_log = get_logger("background")


class Background:
    """Repeats each work round by round until closed; ``faults`` tells of those whose last round failed."""

    def __init__(self) -> None:
        self._tasks = Tasks()
        self._faults: dict[str, str] = {}

    def repeat(self, work: Callable[[], Coroutine[Any, Any, None]], *, name: str, retry_s: float = RETRY_S) -> None:
        """Run ``work`` again each time it has ended, ``retry_s`` later if it failed."""
        self._tasks.start(self._repeat(work, name, retry_s), name=name)

    def faults(self) -> list[str]:
        """What fails now, a line each."""
        return [f"{name}: {why}" for name, why in list(self._faults.items())]

    async def close(self) -> None:
        """End all of it."""
        await self._tasks.close()

    async def _repeat(self, work: Callable[[], Coroutine[Any, Any, None]], name: str, retry_s: float) -> None:
        while True:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - the seam that keeps one fault from ending the work for good
                expected = isinstance(error, OcaError)
                why = str(error) if expected else f"{type(error).__name__}: {error}"
                if self._faults.get(name) != why:
                    _log.error("will be tried again", work=name, error=why, exc_info=None if expected else error)
                self._faults[name] = why
                await asyncio.sleep(retry_s)
            else:
                self._faults.pop(name, None)
