"""A box's BGP session starts anew with a full table, or a small one after a large one, while viewers are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from benchmarks.steering.paced import Player, pace
from benchmarks.steering.world import BATCH, BOOT, World
from oca.common.routes import NOTHING, RouteAnswer, RouteBatch, RouteGroup, route_digest

BOX, SHRINKING = "s1-a", "s2-a"
SHRINKS_FROM, SHRINKS_TO = 400_000, 250
ASKED_PER_S = 2_000
_encode = msgspec.json.Encoder().encode
_answers = msgspec.json.Decoder(RouteAnswer)


class Teller(Player):
    """One connection on which a box tells of its routes."""

    def __init__(self) -> None:
        super().__init__([])
        self.body = b""
        self.answered = asyncio.Event()

    def taken(self, body: bytes) -> None:
        self.body = body
        self.answered.set()


def tables(scale: float, folder: Path, listen: str) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """A transit's whole table in batches: every site's prefixes by the same origins, a step further away; then parts
    of it, of which the one is to shrink to the other.
    """
    world = World(scale)
    world.settings(folder, listen)  # so that its prefixes are those of the service
    texts = world.prefixes()
    share = len(texts) // world.sites
    groups = [
        replace(group, attributes=replace(group.attributes, as_path=f"64999 {group.attributes.as_path}"))
        for site in range(world.sites)
        for batch in world.batches(BOX, texts[site * share : (site + 1) * share], site)
        for group in batch.announced
    ]
    whole, large, small = (
        [_encode(batch) for batch in _batches(_first(groups, count))]
        for count in (len(texts), int(SHRINKS_FROM * scale), SHRINKS_TO)
    )
    return whole, large, small


def _first(groups: list[RouteGroup], count: int) -> Iterator[RouteGroup]:
    """The first groups, up to so many prefixes."""
    for group in groups:
        if count <= 0:
            return
        yield group
        count -= len(group.prefixes)


def _batches(groups: Iterator[RouteGroup]) -> list[RouteBatch]:
    found: list[RouteBatch] = []
    part: list[RouteGroup] = []
    digest = before = count = 0

    def cut(*, ends: bool) -> None:
        begins = not found
        told = NOTHING if begins else f"{before:032x}"
        found.append(
            RouteBatch(BOOT, len(found) + 1, told, f"{digest:032x}", part, [], begins=begins, full=True, ends=ends)
        )

    for group in groups:
        digest_of = route_digest(group.attributes)
        for prefix in group.prefixes:
            digest ^= digest_of(prefix)
        part.append(group)
        count += len(group.prefixes)
        if count >= BATCH - len(group.prefixes):
            cut(ends=False)
            part, before, count = [], digest, 0
    cut(ends=True)
    return found


async def restart(listen: str, box: str, bodies: list[bytes], asked: list[str]) -> dict[str, float]:
    """Tell a box's table, a batch after the other, as it does; what became of those who asked meanwhile."""
    host, _, port = listen.partition(":")
    loop = asyncio.get_running_loop()
    _, teller = await loop.create_connection(Teller, host, int(port))
    done = asyncio.Event()
    asking = asyncio.create_task(pace(listen, asked, per_s=ASKED_PER_S, seconds=600.0, until=done))
    began = loop.time()
    for body in bodies:
        head = (
            f"POST /v1/appliances/{box}/routes HTTP/1.1\r\nHost: steering.example\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        teller.answered.clear()
        teller.ask(head.encode() + body, loop.time())
        await teller.answered.wait()
        assert not _answers.decode(teller.body).full_wanted, "a batch was not taken"
    took_s = loop.time() - began
    done.set()
    if teller.transport is not None:
        teller.transport.close()
    return {**await asking, "batches": len(bodies), "took_s": took_s}
