"""The log under fire: demand is counted once, to the byte, whichever instance takes it, whoever is killed meanwhile."""

from __future__ import annotations

import os
import random
import secrets
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from oca.common.errors import SteeringError
from oca.common.messages import AssetDemand, DemandBatch
from steering.demand import fold
from steering.state import log as log_module
from steering.state.shared import Identity, SharedState
from tests.unit.steering.made_up import NOW_NS, daily_bytes, revision
from tests.unit.steering.state.conftest import name_of, nats_table
from tests.unit.steering.state.nats_server import NatsServer

KILLS = 12
BYTES = 7


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
        until = time.monotonic() + 20
        while min(taken(tmp_path, box) for box in ("x", "y")) < 20:
            assert time.monotonic() < until
            time.sleep(0.05)
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
