"""This version goes on with what recorded ones left on disk: store, settings, steering's state, nights and demand."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.compatibility.record import RECORDED
from tests.compatibility.world import World

pytestmark = pytest.mark.system
VERSIONS = sorted(path.parent for path in RECORDED.glob("*/world.tar.xz"))


def unpack(recorded: Path, folder: Path) -> None:
    """By tar: Python has it without a warning in none of 3.11.2, 3.12 and 3.13 alike."""
    subprocess.run(["tar", "-xf", recorded / "world.tar.xz", "--no-same-owner", "-C", folder], check=True)


async def nights_of(world: World) -> list[tuple[object, ...]]:
    """What the fills of each night brought."""
    report = json.loads(await world.command("oca-fill", "report", "--json"))
    return [
        tuple(each["night"][key] for key in ("night", "assets_in", "bytes_in", "bytes_by_source")) for each in report
    ]


@pytest.mark.parametrize("recorded", VERSIONS, ids=lambda path: path.name)
async def test_version_goes_on_where_recorded_one_stopped(recorded: Path, tmp_path: Path) -> None:
    unpack(recorded, tmp_path)
    world = World(tmp_path)
    world.write_films()
    assert "harbour" in await world.command("oca-steering", "titles")
    nights = await nights_of(world)
    await world.command("oca", "store", "verify")
    told_bytes = world.demand_in_state()
    assert told_bytes > 0
    async with world.origin() as asked, world.running():
        await world.until_up()
        await world.until_held()
        assert await world.watch() == world.bodies
        await world.command("oca-steering", "plan", "--now")
        await world.command("oca-fill", "run", "--now")
        assert asked == []  # all was there
        await world.until_demand_is(told_bytes + world.film_bytes)
    assert (await nights_of(world))[: len(nights)] == nights
