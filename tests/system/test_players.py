"""Players by the hundred, by the handful: locust drives them against real appliances, one of which is killed."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from benchmarks.players.__main__ import engine_command
from benchmarks.players.experience import Outcome
from demo.process import Process
from demo.system import System

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

PLAYERS = 8
SECONDS = 12


def options() -> Namespace:
    return Namespace(players=PLAYERS, seconds=SECONDS, seed="1", headless=True, page="")


async def run(system: System, folder: Path, *, meanwhile: Callable[[], Awaitable[None]] | None = None) -> Outcome:
    record = folder / "outcome.json"
    where = ["--host", system.places.steering_url, "--outcome", str(record)]
    engine = Process("locust", [*engine_command(options()), *where], folder / "log")
    try:
        if meanwhile is not None:
            await meanwhile()
        await engine.finish(SECONDS + 20)
    finally:
        engine.kill()
    return msgspec.json.decode(record.read_bytes(), type=Outcome)


async def test_players_watch_from_appliances(whole: System, tmp_path: Path) -> None:
    outcome = await run(whole, tmp_path)
    started = [viewing for viewing in outcome.viewings if viewing.startup_s is not None]
    assert len(started) >= PLAYERS
    assert all(viewing.ending in ("left", "finished", "run over") for viewing in outcome.viewings)
    assert not any(viewing.moves for viewing in outcome.viewings)
    assert {appliance.id for appliance in whole.places.appliances} & set(outcome.served)
    assert all(served.failures == 0 for served in outcome.served.values())
    assert len(outcome.samples) >= SECONDS // 2


async def test_players_move_where_appliance_dies(whole: System, tmp_path: Path) -> None:
    nearest = (await whole.playback(whole.films[0].title))["pathways"][0]["pathway"]

    async def has_viewers() -> bool:
        return any(
            row["sent_bytes_per_s"] for row in (await whole.fleet())["appliances"] if row["appliance"] == nearest
        )

    async def kill() -> None:
        await whole.until(f"{nearest} has viewers", has_viewers, SECONDS)
        whole.processes.pop(nearest).kill()

    outcome = await run(whole, tmp_path, meanwhile=kill)
    assert sum(viewing.moves for viewing in outcome.viewings) >= 1
    assert outcome.served[nearest].failures >= 1
    assert not [viewing for viewing in outcome.viewings if viewing.ending == "failed"]
