"""Waits for what wakes nobody: another process, a counter in shared memory, state on a disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import aiohttp

WAIT_S = 120.0
"""Nothing that is to come takes so long, on whatever machine with whatever other work: it bounds a failure alone."""


def wait_until(holds: Callable[[], bool], limit_s: float = WAIT_S) -> None:
    """Until it holds."""
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


async def until(holds: Callable[[], bool], limit_s: float = WAIT_S) -> None:
    """Until it holds, while the loop runs."""
    async with asyncio.timeout(limit_s):
        while not holds():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


async def until_told(holds: Callable[[], Awaitable[bool]], limit_s: float = WAIT_S) -> None:
    """Until a server says so, which may not be there yet."""
    async with asyncio.timeout(limit_s):
        while True:
            try:
                if await holds():
                    return
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(0.1)
