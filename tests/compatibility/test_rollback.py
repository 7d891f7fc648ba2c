"""Going back a release: what a later one added is passed over, what it wrote otherwise is refused and left as it is."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import lmdb
import msgspec
import pytest

from oca.store.index import FORMAT
from steering.state.embedded import EmbeddedState
from tests.compatibility.test_world import VERSIONS, unpack
from tests.compatibility.world import STATE_BYTES_MAX, World

pytestmark = [pytest.mark.system, pytest.mark.alone]  # at the addresses that test_world uses, too
LATER = {"of_a_later_release": [1, {"a": "b"}]}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The last recorded one."""
    unpack(VERSIONS[-1], tmp_path)
    return World(tmp_path)


async def refused(world: World, program: str, *arguments: str) -> tuple[int, str]:
    process = await world.start(program, *arguments)
    said, _ = await process.communicate()
    return int(process.returncode or 0), said.decode()


def with_more(value: bytes) -> bytes:
    """A record as a later release could write it; what is no record stays."""
    for form in (msgspec.json, msgspec.msgpack):
        with contextlib.suppress(msgspec.DecodeError):
            found: Any = form.decode(value)
            more = [*found, 1] if isinstance(found, list) else found | LATER if isinstance(found, dict) else None
            return form.encode(more) if more is not None else value
    return value


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_rollback_passes_over_fields_of_a_later_release(world: World) -> None:
    plan = ("oca-steering", "plan", "--json")
    before = await world.command(*plan)
    state = EmbeddedState.open(world.folder / "steering" / "state", bytes_max=STATE_BYTES_MAX)
    records = {key: more for key, value in state.scan("") if (more := with_more(value)) != value}
    with state.write() as transaction:
        for key, value in records.items():
            transaction.put(key, value)
    state.close()
    kinds = {key.partition("/")[0] for key in records}
    assert len(kinds) >= 3, records.keys()
    assert "demand" in kinds  # whose sums are an array
    (was,), (now,) = (json.loads(said)["plans"] for said in (before, await world.command(*plan)))
    assert now["plan"] == was["plan"]
    assert "metro-a" in await world.command("oca-steering", "enrol", "list")


async def test_rollback_finds_no_hour_of_demand_once_steering_has_ended(world: World) -> None:
    """0.1.0 has days in the state, and would not plan beside an hour; so whoever ends puts all of them into files."""
    world.write_films()
    told_bytes = world.demand_in_state()
    async with world.origin(), world.running():
        await world.until_held()
        await world.watch()
        await world.until_demand_is(told_bytes + world.film_bytes)
        assert world.demand_in_state() > 0
    assert world.demand_in_state() == 0
    history = json.loads(await world.command("oca-steering", "history", "--json"))
    assert sum(int(day["bytes"]) for day in history["days"]) == told_bytes + world.film_bytes


async def test_rollback_of_steering_refuses_a_later_format(world: World) -> None:
    folder = world.folder / "steering" / "state"
    state = EmbeddedState.open(folder, bytes_max=STATE_BYTES_MAX)
    with state.write() as transaction:
        transaction.put("about/format", b"2")
    state.close()
    before = digest(folder / "data.mdb")
    code, said = await refused(world, "oca-steering", "serve")
    assert code == 78, said
    assert "has format 2, wanted 1" in said
    assert "use the release that wrote it" in said
    assert digest(folder / "data.mdb") == before


async def test_rollback_of_a_box_leaves_out_a_later_index_until_it_is_rebuilt(world: World) -> None:
    index = world.folder / "box" / "nvme0" / "index"
    with lmdb.open(str(index), max_dbs=8, lib_version=0) as environment:
        about = environment.open_db(b"about")
        with environment.begin(write=True) as transaction:
            assert transaction.get(b"format", db=about) == FORMAT
            transaction.put(b"format", b"2", db=about)
    before = digest(index / "data.mdb")
    _, said = await refused(world, "oca", "store", "ls")
    assert "the index has format 2, this version reads 1" in said
    assert "oca store rebuild" in said
    assert digest(index / "data.mdb") == before
    await world.command("oca", "store", "rebuild")
    assert "harbour/" in await world.command("oca", "store", "ls")
