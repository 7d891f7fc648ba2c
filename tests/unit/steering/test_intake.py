from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import steering.intake as intake_module
from oca.common.errors import SteeringError
from oca.common.tasks import Tasks
from steering.background import Background
from steering.demand import Folded
from steering.intake import Intake
from steering.state.embedded import EmbeddedState
from tests.unit.steering.made_up import NOW_NS, daily_bytes, make_batch

KNOWN = {"t/a": None}


@asynccontextmanager
async def running(state: Any) -> AsyncIterator[Intake]:
    intake = Intake(state, known=lambda: KNOWN, now_ns=lambda: NOW_NS)
    background = Background()
    background.repeat(intake.write_next, name="intake", retry_s=0)
    try:
        yield intake
    finally:
        await background.close()


async def test_intake_makes_demand_and_capacity_durable(state: EmbeddedState) -> None:
    async with running(state) as intake:
        folded = await intake.take("metro-a", "metro", make_batch(0, t__a=(1, 10)), 500)
        assert folded == Folded("folded")
        assert state.get("capacity/metro-a") == b"500"
        assert await intake.take("metro-a", "metro", make_batch(0, t__a=(1, 10)), 500) == Folded("repeated")
        assert list(daily_bytes(state)["metro"]["t/a"].values()) == [10]


async def test_intake_writes_nothing_when_nothing_is_new(state: EmbeddedState) -> None:
    async with running(state) as intake:
        await intake.take("metro-a", "metro", None, 500)
        version = state.version()
        assert await intake.take("metro-a", "metro", None, 500) is None
        assert state.version() == version
        await intake.take("metro-a", "metro", None, 600)
        assert state.get("capacity/metro-a") == b"600"


async def test_intake_gathers_reports_into_few_transactions(state: EmbeddedState) -> None:
    before = state.version()
    async with running(state) as intake:
        await asyncio.gather(
            *(intake.take(f"m-{number}", "metro", make_batch(0, t__a=(1, 10)), 0) for number in range(100))
        )
    assert list(daily_bytes(state)["metro"]["t/a"].values()) == [1000]
    assert state.version() - before <= 3


class BrokenState(EmbeddedState):
    """Cannot write."""

    broken = True

    def write(self) -> Any:
        if self.broken:
            raise SteeringError("disk full", remedy="make room")
        return super().write()


async def test_intake_acknowledges_nothing_that_was_not_written(state: EmbeddedState) -> None:
    broken = BrokenState(state._environment, state._path)
    async with running(broken) as intake:
        assert await intake.take("metro-a", "metro", make_batch(0, t__a=(1, 10)), 500) is None
        broken.broken = False
        assert await intake.take("metro-a", "metro", make_batch(0, t__a=(1, 10)), 500) == Folded("folded")


async def test_intake_turns_reports_away_when_too_many_wait(state: EmbeddedState) -> None:
    intake = Intake(state, known=lambda: KNOWN, now_ns=lambda: NOW_NS, waiting_max=1)
    tasks = Tasks()
    waiting = tasks.start(intake.take("m-0", "metro", make_batch(0), 0), name="first")
    await asyncio.sleep(0)
    assert await intake.take("m-1", "metro", make_batch(0), 0) is None
    assert not waiting.done()
    await tasks.close()


class SlowState(EmbeddedState):
    """Cannot write before the gate opens, as while another process holds the lock."""

    def __init__(self, state: EmbeddedState) -> None:
        super().__init__(state._environment, state._path)
        self.gate = threading.Event()
        self.writes = 0

    def write(self) -> Any:
        self.writes += 1
        self.gate.wait(10)
        return super().write()


async def test_intake_answers_while_a_write_hangs_and_folds_resend_once(
    state: EmbeddedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "ANSWER_S_MAX", 0.02)
    slow = SlowState(state)
    batch = make_batch(0, t__a=(1, 10))
    async with running(slow) as intake:
        async with asyncio.timeout(5):
            for _ in range(3):  # the second and third wait in the queue, then nobody waits for them
                assert await intake.take("metro-a", "metro", batch, 500) is None
        monkeypatch.setattr(intake_module, "ANSWER_S_MAX", 5)
        last = asyncio.gather(intake.take("metro-a", "metro", batch, 500))
        await asyncio.sleep(0)
        slow.gate.set()
        assert (await last)[0] == Folded("repeated")
    assert list(daily_bytes(state)["metro"]["t/a"].values()) == [10]
    assert slow.writes == 2


async def test_intake_writes_in_thread_that_cannot_hold_up_the_end(state: EmbeddedState) -> None:
    daemons: list[bool] = []

    class Watched(SlowState):
        def write(self) -> Any:
            daemons.append(threading.current_thread().daemon)
            return super().write()

    watched = Watched(state)
    watched.gate.set()
    async with running(watched) as intake:
        await intake.take("metro-a", "metro", None, 500)
    assert daemons == [True]
