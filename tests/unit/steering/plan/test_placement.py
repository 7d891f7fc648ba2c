from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.plan import placement
from steering.plan.placement import BESIDE_RATIO_MAX, Box, copies_wanted, peak_rate, place, room_beside
from steering.plan.rendezvous import drawn
from steering.plan.shelf import name_hash

ASSETS = np.array([name_hash(f"asset-{number}") for number in range(20_000)], np.uint64)


def box(number: int, space: float = 1e12, rate: float = np.inf) -> Box:
    return Box(f"box-{number}", name_hash(f"box-{number}"), space, rate)


def test_place_moves_a_fair_share_of_copies_as_a_box_joins_ten() -> None:
    boxes = [box(number) for number in range(11)]
    size = np.full(len(ASSETS), 4.5e8)
    expected = np.linspace(2e9, 1e9, len(ASSETS))
    one = np.ones(len(ASSETS), np.int64)
    placed = [
        place(expected > 0, expected, size, copies=one, hashes=ASSETS, boxes=[replace_space(each) for each in some])
        for some in (boxes[:10], boxes)
    ]
    assert placed[1].sum(axis=0).min() == 1
    gone = placed[0] & ~placed[1][:10]
    assert gone.sum() / placed[0].sum() <= 1.2 / 11
    assert placed[1][10].sum() / placed[1].sum() <= 1.2 / 11


def test_place_leaves_assets_where_they_lie_and_gives_a_box_that_joins_its_share() -> None:
    size, one = np.full(len(ASSETS), 4.5e8), np.ones(len(ASSETS), np.int64)
    expected = np.linspace(2e9, 1e9, len(ASSETS))
    boxes = [box(number, 4.5e8 * len(ASSETS) / 10) for number in range(11)]
    chosen = np.ones(len(ASSETS), np.bool_)
    had = place(chosen, expected, size, copies=one, hashes=ASSETS, boxes=boxes[:10])
    others_demand = place(chosen, expected[::-1], size, copies=one, hashes=ASSETS, boxes=boxes[:10], had=had)
    assert (others_demand == had).all()
    had = np.vstack([had, np.zeros((1, len(ASSETS)), np.bool_)])
    joined = place(chosen, expected[::-1], size, copies=one, hashes=ASSETS, boxes=boxes, had=had)
    newcomers = drawn(ASSETS, boxes).argmin(axis=0) == 10
    assert joined[10, newcomers].all()
    assert (had & ~joined & ~newcomers).sum() == 0


def test_place_puts_what_is_new_where_room_is_left_and_drives_nothing_from_box_to_box() -> None:
    size, one = np.ones(210), np.ones(210, np.int64)
    boxes, chosen = [box(number, 100.0) for number in range(2)], np.arange(210) < 200
    expected = np.linspace(900.0, 100.0, 210)
    had = place(chosen, expected, size, copies=one, hashes=ASSETS[:210], boxes=boxes)
    expected[200:], chosen = 2000.0, ~chosen | (np.arange(210) < 190)
    held = place(chosen, expected, size, copies=one, hashes=ASSETS[:210], boxes=boxes, had=had)
    assert held[:, chosen].any(axis=0).all()
    assert not (had[:, :190] & ~held[:, :190]).any()


@pytest.mark.parametrize("load", [0.7, 0.9])
def test_place_moves_nothing_though_a_peak_comes_near_the_throughput(load: float) -> None:
    size, one = np.ones(200), np.ones(200, np.int64)
    boxes = [box(number, 130.0, rate=200.0) for number in range(2)]
    had = np.arange(200) % 2 == np.array([[0], [1]])
    expected = np.full(200, 86400.0) * load
    held = place(np.ones(200, np.bool_), expected, size, copies=one, hashes=ASSETS[:200], boxes=boxes, had=had)
    assert not (had & ~held).any()


@pytest.mark.parametrize(("slower", "calm"), [(1.0, True), (2.0, False)])
def test_place_puts_what_lacks_throughput_as_if_it_lay_nowhere_where_all_do(slower: float, calm: bool) -> None:
    size, one = np.ones(201), np.ones(201, np.int64)
    expected = np.append(np.full(200, 43200.0), 43200.0 * 140)
    boxes, chosen = [box(number, 130.0, rate=230.0 / slower) for number in range(2)], np.ones(201, np.bool_)
    had = np.vstack([np.arange(201) % 2 == 0, np.arange(201) % 2 == 1])
    had[:, 200] = False
    held = place(chosen, expected, size, copies=one, hashes=ASSETS[:201], boxes=boxes, had=had)
    afresh = place(chosen, expected, size, copies=one, hashes=ASSETS[:201], boxes=boxes)
    assert (held == afresh).all() != calm


def test_place_reckons_what_is_pinned_by_its_bytes_and_not_by_what_it_counts_for() -> None:
    size, one, worth = np.ones(3), np.ones(3, np.int64), np.array([1e15, 300.0, 200.0])
    held = place(
        np.ones(3, np.bool_),
        worth,
        size,
        copies=one,
        hashes=ASSETS[:3],
        boxes=[box(0, 3.0, rate=1.0)],
        expected_bytes=np.array([100.0, 300.0, 200.0]),
    )
    assert held.all()


def replace_space(old: Box) -> Box:
    """Room for the tenth part of all assets and a little, so that none is left for further copies of many."""
    return Box(old.name, old.hash, 4.5e8 * len(ASSETS) / 10 * 1.1, old.rate_bytes_per_s)


def test_copies_go_to_the_hottest_and_to_what_one_box_cannot_send() -> None:
    boxes = [box(number, rate=1e6) for number in range(4)]
    expected = np.array([0.0, 1e9, 2e9, 6.5e10, 9e10])
    assert peak_rate(expected)[3] > 1e6
    assert copies_wanted(expected, boxes, hot_share=0.1).tolist() == [1, 1, 1, 4, 4]
    calm = [box(number) for number in range(4)]
    assert copies_wanted(expected, calm, hot_share=0.9).tolist() == [1, 1, 1, 2, 2]
    assert copies_wanted(expected, [], hot_share=0.9).tolist() == [1] * 5


@given(
    st.lists(st.tuples(st.integers(1, 100), st.integers(0, 10**9), st.integers(1, 3)), min_size=1, max_size=40),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 30_000)), min_size=1, max_size=5),
)
def test_place_never_exceeds_space_nor_throughput(
    assets: list[tuple[int, int, int]], boxes: list[tuple[int, int]]
) -> None:
    size, expected, copies = (np.array(column) for column in zip(*assets, strict=True))
    made = [box(number, space, rate) for number, (space, rate) in enumerate(boxes)]
    chosen = np.ones(len(assets), np.bool_)
    hashes = ASSETS[: len(assets)]
    held = place(chosen, expected.astype(float), size.astype(float), copies=copies, hashes=hashes, boxes=made)
    share = peak_rate(expected.astype(float)) / np.maximum(held.sum(axis=0), 1)
    for row, each in zip(held, made, strict=True):
        assert size[row].sum() <= each.space_bytes
        assert share[row].sum() <= each.rate_bytes_per_s * (1 + 1e-9)
    again = place(chosen, expected.astype(float), size.astype(float), copies=copies, hashes=hashes, boxes=made)
    assert (again == held).all()


@given(
    st.lists(st.tuples(st.integers(1, 100), st.integers(1, 1000)), min_size=1, max_size=40),
    st.lists(st.integers(0, 300), min_size=1, max_size=5),
)
def test_place_finds_room_for_all_that_are_chosen_with_room_beside(
    assets: list[tuple[int, int]], spaces: list[int]
) -> None:
    size, density = (np.array(column, float) for column in zip(*assets, strict=True))
    order = np.argsort(-density, kind="stable")
    size, density = size[order], density[order]
    full = np.append(np.cumsum(size) + (len(spaces) - 1) * size > sum(spaces), True)
    chosen = np.arange(len(size)) < np.argmax(full)
    boxes = [box(number, space) for number, space in enumerate(spaces)]
    one = np.ones(len(size), np.int64)
    held = place(chosen, density * size, size, copies=one, hashes=ASSETS[: len(size)], boxes=boxes)
    assert held.sum(axis=0)[chosen].all()
    assert not held[:, ~chosen].any()


def test_place_puts_others_in_the_stead_of_what_fits_nowhere() -> None:
    size, expected = np.array([8.0, 3.0, 3.0, 3.0]), np.array([800.0, 60.0, 50.0, 40.0])
    chosen = np.array([True, False, False, False])
    one, boxes = np.ones(4, np.int64), [box(0, 5.0), box(1, 5.0)]
    held = place(chosen, expected, size, copies=one, hashes=ASSETS[:4], boxes=boxes)
    assert held.any(axis=0).tolist() == [False, True, True, False], "no more than the room of what was chosen"
    slow = [box(0, 5.0, rate=0.0), box(1, 5.0, rate=0.0)]
    assert not place(chosen, expected, size, copies=one, hashes=ASSETS[:4], boxes=slow).any()
    had = np.array([[False, False, True, False], [False, False, False, True]])
    for moves, wanted in ((0.0, [2, 3]), (np.inf, [2, 3])):
        held = place(chosen, expected, size, copies=one, hashes=ASSETS[:4], boxes=boxes, had=had, moves_max_bytes=moves)
        assert np.flatnonzero(held.any(axis=0)).tolist() == wanted, "those that the site had come first"
    had[1, 3] = False
    for moves, wanted in ((2.0, [2]), (3.0, [1, 2])):
        held = place(chosen, expected, size, copies=one, hashes=ASSETS[:4], boxes=boxes, had=had, moves_max_bytes=moves)
        assert np.flatnonzero(held.any(axis=0)).tolist() == wanted, "new ones only as far as moves are left"


def test_place_has_worse_assets_give_way_for_room_and_never_for_throughput() -> None:
    size, one = np.array([3.0, 4.0, 1.0, 1.0, 1.0]), np.ones(5, np.int64)
    chosen, expected = np.ones(5, np.bool_), size * [9.0, 8.0, 7.0, 2.0, 1.0]
    boxes = [box(0, 5.0), box(1, 4.0)]
    for number in range(200):
        hashes = ASSETS[number : number + 5]
        held = place(chosen, expected, size, copies=one, hashes=hashes, boxes=boxes)
        assert held.sum(axis=0)[:2].all()
    chosen, one, size, rate = np.ones(40, np.bool_), np.ones(40, np.int64), np.ones(40), np.linspace(9.0, 1.0, 40)
    boxes = [box(0, 1000.0, rate=41.0), box(1, 1000.0, rate=87.0)]
    for number in range(50):
        hashes = ASSETS[number : number + 40]
        held = place(chosen, rate * 43200, size, copies=one, hashes=hashes, boxes=boxes)
        first = drawn(hashes, boxes).argmin(axis=0)
        for row in range(2):
            mine = np.flatnonzero(first == row)
            assert held[row, mine[np.cumsum(rate[mine]) <= boxes[row].rate_bytes_per_s]].all(), "who came first stays"


def test_place_puts_what_fits_also_when_no_more_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "GIVING_WAY_MAX", 0)
    size, one = np.array([8.0, 5.0, 2.0]), np.ones(3, np.int64)
    held = place(np.ones(3, np.bool_), size * [3, 2, 1], size, copies=one, hashes=ASSETS[:3], boxes=[box(0, 10.0)])
    assert held.tolist() == [[True, False, True]]


def test_room_beside_is_that_of_the_other_boxes_up_to_a_part_of_the_space() -> None:
    boxes = [box(number, 1000.0) for number in range(3)]
    assert room_beside(np.array([1.0, 10.0, 100.0]), boxes).tolist() == [2.0, 20.0, 3000.0 * BESIDE_RATIO_MAX]
    assert room_beside(np.array([1.0, 10.0]), boxes[:1]).tolist() == [0.0, 0.0]
    assert room_beside(np.array([1.0]), []).tolist() == [0.0]
