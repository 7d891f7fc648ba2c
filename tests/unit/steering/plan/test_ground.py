from __future__ import annotations

import numpy as np

from steering.plan.ground import PINNED, Terms, ground, ladders, worth
from steering.plan.shelf import shelve
from tests.unit.steering.made_up import NOW_NS, make_summary, make_title

SHELF = shelve(
    [
        make_title(
            "a",
            assets=[make_summary("a/0", size=10), make_summary("a/m", "manifests", 5)],
            released_at_ns=1,
            regions=[],
        ),
        make_title("b", assets=[make_summary("b/0", size=20), make_summary("b/1")], released_at_ns=2, regions=["US"]),
        make_title("c", assets=[make_summary("c/0", size=30)], released_at_ns=2 * NOW_NS, regions=[]),
        make_title("d", assets=[make_summary("d/m", "manifests", 7)], released_at_ns=3, regions=[]),
    ]
)


def test_ground_bars_by_rights_release_and_ban() -> None:
    land = ground(SHELF, "DE", Terms(banned=("d",)), now_ns=NOW_NS)
    assert {why: SHELF.assets[int(rows.argmax())].asset for why, rows in land.barred.items()} == {
        "not out yet": "c/0",
        "no rights here": "b/0",
        "banned": "d/m",
    }
    assert [SHELF.assets[row].asset for row in np.flatnonzero(land.able)] == ["a/0", "a/m"]
    assert np.flatnonzero(land.media).tolist() == [0]
    assert [SHELF.assets[row].asset for row in land.manifests] == ["a/m"]


def test_ground_knows_manifests_that_stand_alone() -> None:
    land = ground(SHELF, "US", Terms(), now_ns=NOW_NS)
    assert [SHELF.assets[row].asset for row in land.manifests] == ["a/m", "d/m"]
    assert land.alone.tolist() == [False, True]
    assert land.manifests_bytes == SHELF.stored_bytes[land.manifests].sum()


def test_worth_puts_pins_first_and_the_newest_of_the_unwatched_before_older() -> None:
    land = ground(SHELF, "US", Terms(pinned=("a",)), now_ns=NOW_NS)
    media = np.flatnonzero(land.media)
    assert [SHELF.assets[row].asset for row in media] == ["a/0", "b/0", "b/1"]
    found = worth(media, np.array([4.0, 0.0, 6.0]), SHELF.stored_bytes[media], land)
    assert found[0] == 4.0 + PINNED * SHELF.stored_bytes[0]
    assert 0 < found[1] < 1e-3
    assert found[2] == 6.0


def test_worth_of_whole_ladders_is_alike_for_their_room() -> None:
    land = ground(SHELF, "US", Terms(), now_ns=NOW_NS)
    media = np.flatnonzero(land.media)
    found = ladders(SHELF, media, np.array([0.0, 1.0, 5.0]))
    assert found[0] == 0.0
    assert found[1] / SHELF.stored_bytes[2] == found[2] / SHELF.stored_bytes[3] > 0
