"""The log under fire: demand is counted once, to the byte, whichever instance takes it, whoever is killed meanwhile;
and turns that go wrong end all the same.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from oca.common.errors import SteeringError
from oca.common.messages import AssetDemand, DemandBatch
from oca.common.tasks import Tasks
from steering.plan.demand import fold
from steering.state import log as log_module
from steering.state.entries import CHUNK_BYTES
from steering.state.jetstream import EngineAwayError, Message, Session, WrongPlaceError
from steering.state.log import SharedLog
from steering.state.mirror import Mirror
from steering.state.shared import Identity, SharedState
from tests.unit.steering.made_up import NOW_NS, daily_bytes, revision
from tests.unit.steering.state.conftest import name_of, nats_table
from tests.unit.steering.state.nats_server import NatsServer
from tests.waiting import WAIT_S, wait_until

KILLS = 12
BYTES = 7
LARGE = {"key": secrets.token_bytes(2 * CHUNK_BYTES)}
"""Goes in parts."""


def batch_of(box: str, sequence: int) -> DemandBatch:
    items = [AssetDemand(f"{box}/{sequence}", 1, BYTES)]
    return DemandBatch(
        epoch=revision("boot"), sequence=sequence, started_at_ns=NOW_NS, ended_at_ns=NOW_NS + 1, items=items
    )


def taken(folder: Path, box: str) -> int:
    """The last batch that some instance has acknowledged: what a box would know."""
    return max((int(file.name.rpartition("-")[2]) for file in folder.glob(f"{box}-*")), default=0)


def instance(server: NatsServer, folder: Path, number: int, run: int) -> None:
    """Take the boxes' next batches, as other instances do at the same time, until killed."""
    log_module.LEASE_S = 0.5
    table = nats_table(server, folder / f"copy{number}", name=name_of(folder), instance=f"i{number}")
    state = SharedState.open(table, Identity(f"i{number}", str(run), is_service=False), lambda: 0.1)
    while True:
        for box in ("x", "y"):
            batch = batch_of(box, taken(folder, box) + 1)
            with suppress(SteeringError):
                with state.write() as transaction:
                    fold(transaction, box, "site", batch, now_ns=NOW_NS * 2, known={batch.items[0].asset})
                (folder / f"{box}-{batch.sequence}").touch()


def start(server: NatsServer, folder: Path, number: int, run: int) -> int:
    child = os.fork()
    if not child:
        try:
            instance(server, folder, number, run)
        finally:
            os._exit(1)
    return child


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_demand_is_counted_exactly_once_through_kills_of_instances_and_engine(nats: NatsServer, tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    running = [start(nats, tmp_path, number, 0) for number in range(2)]
    try:
        for run in range(1, KILLS + 1):
            time.sleep(chance.uniform(0.05, 0.25))
            number = chance.randrange(2)
            os.kill(running[number], signal.SIGKILL)
            os.waitpid(running[number], 0)
            if run == KILLS // 2:
                nats.kill()
                nats.start()
            running[number] = start(nats, tmp_path, number, run)
        wait_until(lambda: min(taken(tmp_path, box) for box in ("x", "y")) >= 20)
    finally:
        for child in running:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    state = SharedState.open(
        nats_table(nats, tmp_path / "last", name=name_of(tmp_path)),
        Identity("last", "1", is_service=False),
        lambda: 0.1,
    )
    counted = {asset: sum(days.values()) for asset, days in daily_bytes(state).get("site", {}).items()}
    state.close()
    for box in ("x", "y"):
        surely = {f"{box}/{sequence}": BYTES for sequence in range(1, taken(tmp_path, box) + 1)}
        mine = {asset: count for asset, count in counted.items() if asset.startswith(box)}
        assert surely.items() <= mine.items()
        assert len(mine) <= len(surely) + 1  # one may have been killed before it could say so
        assert set(mine.values()) == {BYTES}


class Engine:
    """One stream, made up so that it can fail at will."""

    server, has_ended = "made up", False

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.away = self.takes_no_parts = False

    async def append(self, subject: str, body: bytes, *, once: str, after: int | None = None) -> int:
        if self.away or (self.takes_no_parts and subject.endswith(".part")):
            raise EngineAwayError(f"{once} was not heard", remedy="-")
        last = max((number for number, (name, _) in enumerate(self.messages, 1) if name == subject), default=0)
        if after not in (None, last):
            raise WrongPlaceError(f"{once} came late", remedy="-")
        self.messages.append((subject, body))
        return len(self.messages)

    async def after(self, _stream: str, subject: str, number: int) -> Message | None:
        if self.away:
            raise EngineAwayError("away", remedy="-")
        beyond = enumerate(self.messages[number:], number + 1)
        return next((Message(at, datetime.now(UTC), body) for at, (name, body) in beyond if name == subject), None)


@asynccontextmanager
async def instances(engine: Engine, folder: Path) -> AsyncIterator[list[SharedLog]]:
    """Two that follow it."""
    session, tasks, logs = cast("Session", engine), Tasks(), []

    async def follow(log: SharedLog) -> None:
        while True:
            if not engine.away:
                await log._catch_up(session)
            await asyncio.sleep(0.01)

    for name in "ab":
        mirror = Mirror.open(folder / name, bytes_max=2**26)
        logs.append(SharedLog(mirror, name="oca", writer=name, replicas=1, is_service=False))
        logs[-1]._log = "made"
        logs[-1]._arrive(session)
        tasks.start(follow(logs[-1]), name=name)
    yield logs
    await tasks.close()
    for log in logs:
        log._mirror.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WRITE_S_MAX", WAIT_S), ("LEASE_S", 0.3), ("RENEW_S", 0.1)):
        monkeypatch.setattr(log_module, name, value)


@pytest.mark.usefixtures("quick")
async def test_commit_that_fails_while_the_engine_is_away_lets_others_write_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine()
    async with instances(engine, tmp_path) as (a, b):
        hold = await a.begin()
        engine.away = True
        with monkeypatch.context() as hasty:
            hasty.setattr(log_module, "WRITE_S_MAX", 1.0)
            with pytest.raises(EngineAwayError, match="part"):
                await a.commit(hold, LARGE)
        engine.away = False
        await b.end(await b.begin())


@pytest.mark.usefixtures("quick")
async def test_commit_that_fails_ends_its_turn_at_once_where_it_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "LEASE_S", 60.0)
    engine = Engine()
    async with instances(engine, tmp_path) as (a, b):
        engine.takes_no_parts = True
        hold = await a.begin()
        with monkeypatch.context() as hasty:
            hasty.setattr(log_module, "WRITE_S_MAX", 1.0)
            with pytest.raises(EngineAwayError, match="part"):
                await a.commit(hold, LARGE)
        await b.end(await b.begin())


@pytest.mark.usefixtures("quick")
async def test_turn_of_a_writer_that_hangs_is_not_prolonged_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "TURN_S_MAX", 0.5)
    async with instances(Engine(), tmp_path) as (a, b):
        hold = await a.begin()
        await b.commit(await b.begin(), {"key": b"1"})
        with pytest.raises(SteeringError, match="for longer than its turn lasts, and another wrote"):
            await a.commit(hold, {"key": b"2"})
        assert b._mirror.get("key") == b"1"
