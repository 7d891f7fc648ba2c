from __future__ import annotations

import asyncio

import pytest

from oca.common.errors import SteeringError
from steering.background import Background


async def test_background_goes_on_after_failures_and_tells_of_the_last() -> None:
    rounds: asyncio.Queue[Exception | None] = asyncio.Queue()
    begun: asyncio.Queue[list[str]] = asyncio.Queue()
    background = Background()

    async def work() -> None:
        begun.put_nowait(background.faults())
        error = await rounds.get()
        if error is not None:
            raise error

    background.repeat(work, name="plans", retry_s=0)
    assert await begun.get() == []
    rounds.put_nowait(SteeringError("the disk is full", remedy="make room"))
    assert await begun.get() == ["plans: the disk is full; make room"]
    rounds.put_nowait(KeyError("x"))
    assert await begun.get() == ["plans: KeyError: 'x'"]
    rounds.put_nowait(None)
    assert await begun.get() == []
    await background.close()


async def test_background_logs_lasting_fault_once(capsys: pytest.CaptureFixture[str]) -> None:
    background, failures, many = Background(), 0, asyncio.Event()

    async def fail() -> None:
        nonlocal failures
        failures += 1
        if failures == 5:
            many.set()
        raise SteeringError("the disk is full", remedy="make room")

    background.repeat(fail, name="plans", retry_s=0)
    await many.wait()
    await background.close()
    told = capsys.readouterr()
    assert (told.out + told.err).count("the disk is full") == 1
