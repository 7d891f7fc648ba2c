from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.steering.world import OPEN_EVERY, World
from oca.common.prefix import absurdity, read_prefix


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(0.02)
    made.settings(tmp_path, "127.0.0.1:1")
    return made


def test_sites_hold_what_their_viewers_ask_for(world: World) -> None:
    chance = random.Random(1)
    shelves = [set(world.shelf(site)) for site in range(world.sites)]
    shared = set().union(*shelves[::OPEN_EVERY])
    asked = [(site, world.asked(site, chance)) for site in chance.choices(range(world.sites), k=2000)]
    own = sum(title in shelves[site] for site, title in asked) / len(asked)
    strangers = sum(title in shelves[(site + 1) % world.sites] for site, title in asked) / len(asked)
    assert own > 0.6
    assert own > strangers
    assert sum(title in shelves[site] | shared for site, title in asked) / len(asked) > 0.94


def test_prefixes_are_those_of_a_full_table(world: World) -> None:
    prefixes = [read_prefix(text) for text in world.prefixes()]
    assert len(set(prefixes)) == world.v4 + world.v6 == 24_000
    assert not any(map(absurdity, prefixes))
    named = set(prefixes)
    covered = sum(
        any((each.version, length, each.number >> each.length - length) in named for length in range(16, each.length))
        for each in prefixes
    )
    assert covered > 100
