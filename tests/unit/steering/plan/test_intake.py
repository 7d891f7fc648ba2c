from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

import steering.plan.intake as intake_module
from oca.common.errors import SteeringError
from oca.common.messages import WantedObject
from oca.common.tasks import Tasks
from steering.background import Background
from steering.plan.counted import Counted
from steering.plan.demand import Folded, Wanted, hours_of
from steering.plan.intake import Intake
from steering.plan.wanted import wanted_assets
from steering.state.embedded import EmbeddedState
from tests.unit.steering.made_up import NOW_NS, daily_bytes, make_batch, make_summary
from tests.waiting import WAIT_S

KNOWN = {"t/a": make_summary("t/a")}


@asynccontextmanager
async def running(state: Any) -> AsyncIterator[Intake]:
    intake = Intake(state, known=lambda: KNOWN, now_ns=lambda: NOW_NS, sites=())
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


async def test_intake_counts_what_is_not_held_by_the_asset_that_has_it(state: EmbeddedState) -> None:
    with state.write() as transaction:
        transaction.put("object/t/1.m4s", b"t/a")
    wanted = [WantedObject("/t/1.m4s", 2, 0, 0), WantedObject("/x.m4s", 1, 0, 0)]
    async with running(state) as intake:
        folded = await intake.take("metro-a", "metro", replace(make_batch(0), wanted=wanted), 500)
    assert folded == Folded("folded", unknown_objects=1)
    assert [(hour.asset, hour.counted) for hour in hours_of(state, "demand")] == [
        ("t/a", Counted(missed=2, missed_bytes=2 * 333))
    ]


class Looking(EmbeddedState):
    """Counts look-ups of objects that are not within ``reading``, and moments read."""

    alone = moments = 0

    def get(self, key: str) -> bytes | None:
        self.alone += key.startswith("object/")
        return super().get(key)

    def reading(self) -> Any:
        self.moments += 1
        return super().reading()


async def test_intake_looks_objects_up_in_one_moment_and_not_for_repeats(
    state: EmbeddedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, asked = Looking(state._environment, state._path), list[int]()

    def through(*args: Any, **more: Any) -> Wanted:
        asked.append(1)
        return wanted_assets(*args, **more)

    monkeypatch.setattr(intake_module, "wanted_assets", through)
    batch = replace(make_batch(0), wanted=[WantedObject(f"/{number}.m4s", 1, 0, 0) for number in range(50)])
    async with running(looking) as intake:
        told = [await intake.take("metro-a", "metro", batch, 500) for _ in range(2)]
    assert [each.outcome for each in told if each is not None] == ["folded", "repeated"]
    assert (looking.alone, looking.moments, len(asked)) == (0, 2, 1)


async def test_intake_turns_reports_away_when_too_many_wait(state: EmbeddedState) -> None:
    intake = Intake(state, known=lambda: KNOWN, now_ns=lambda: NOW_NS, sites=(), waiting_max=1)
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
        async with asyncio.timeout(WAIT_S):
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
