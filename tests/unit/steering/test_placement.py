from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.placement import Box, copies_wanted, drawn, peak_rate, place
from steering.shelf import name_hash

ASSETS = np.array([name_hash(f"asset-{number}") for number in range(20_000)], np.uint64)


def box(number: int, space: float = 1e12, rate: float = np.inf) -> Box:
    return Box(f"box-{number}", name_hash(f"box-{number}"), space, rate)


@pytest.mark.parametrize("count", [2, 5, 10])
def test_rendezvous_moves_only_the_share_of_a_box_that_joins_or_leaves(count: int) -> None:
    boxes = [box(number) for number in range(count)]
    all_first = np.array([boxes[at].name for at in drawn(ASSETS, boxes).argmin(axis=1)])
    for gone in range(count):
        rest = boxes[:gone] + boxes[gone + 1 :]
        first = np.array([rest[at].name for at in drawn(ASSETS, rest).argmin(axis=1)])
        moved = first != all_first
        assert (all_first[moved] == boxes[gone].name).all()
        assert moved.mean() <= 1.2 / count


def test_rendezvous_gives_boxes_by_their_space() -> None:
    first = drawn(ASSETS, [box(0, 3e12), box(1, 1e12)]).argmin(axis=1)
    assert (first == 0).mean() == pytest.approx(0.75, abs=0.02)


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
