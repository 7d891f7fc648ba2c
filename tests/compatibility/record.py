"""Records what this version writes, for later versions to be tested with: ``python -m tests.compatibility.record``.

Run it at each release. It leaves ``recorded/VERSION``: the messages' schemas, and a small world as it was left:
steering's state and settings, and an appliance's with its store, a night's fill and a viewer's demand. The key that
signs URLs there is that world's own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import msgspec

import oca.common.enrolment
import oca.common.messages
import oca.common.routes
from oca import __version__
from oca.common.messages import Message
from tests.compatibility.world import World

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"
_MODULES = (oca.common.messages, oca.common.routes, oca.common.enrolment)


def schemas() -> dict[str, Any]:
    """JSON schemas of all that boxes, fill agents and steering tell each other."""
    found = [
        value
        for module in _MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Message) and value.__module__ == module.__name__
    ]
    return msgspec.json.schema_components(found)[1]


async def _record(folder: Path) -> None:
    world = World(folder)
    world.write_films()
    world.write_settings()
    async with world.origin():
        await world.command("oca-steering", "publish", str(world.library / "harbour"), "--title", "harbour")
        async with world.running():
            await world.until_up()
            await world.command("oca-steering", "plan", "--now")
            await world.command("oca-fill", "run", "--now")
            await world.until_held()
            await world.watch()
            await world.until_demand_is(world.film_bytes)


def main() -> None:
    """Record, and say where."""
    place = RECORDED / (sys.argv[1] if len(sys.argv) > 1 else __version__)
    place.mkdir(parents=True, exist_ok=True)
    (place / "messages.json").write_text(json.dumps(schemas(), indent=1, sort_keys=True) + "\n")
    with tempfile.TemporaryDirectory(prefix="oca-record-") as name:
        folder = Path(name)
        asyncio.run(_record(folder))
        with tarfile.open(place / "world.tar.xz", "w:xz") as archive:
            for each in ("steering", "box"):
                archive.add(folder / each, each)
    print(f"recorded: {place}")


if __name__ == "__main__":
    main()
