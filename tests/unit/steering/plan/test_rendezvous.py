from __future__ import annotations

import numpy as np
import pytest

from steering.plan.placement import Box
from steering.plan.rendezvous import drawn, staying
from steering.plan.shelf import name_hash

ASSETS = np.array([name_hash(f"asset-{number}") for number in range(20_000)], np.uint64)


def box(number: int, space: float = 1e12) -> Box:
    return Box(f"box-{number}", name_hash(f"box-{number}"), space)


@pytest.mark.parametrize("count", [2, 5, 10])
def test_rendezvous_moves_only_the_share_of_a_box_that_joins_or_leaves(count: int) -> None:
    boxes = [box(number) for number in range(count)]
    all_first = np.array([boxes[at].name for at in drawn(ASSETS, boxes).argmin(axis=0)])
    for gone in range(count):
        rest = boxes[:gone] + boxes[gone + 1 :]
        first = np.array([rest[at].name for at in drawn(ASSETS, rest).argmin(axis=0)])
        moved = first != all_first
        assert (all_first[moved] == boxes[gone].name).all()
        assert moved.mean() <= 1.2 / count


def test_rendezvous_gives_boxes_by_their_space() -> None:
    first = drawn(ASSETS, [box(0, 3e12), box(1, 1e12)]).argmin(axis=0)
    assert (first == 0).mean() == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("spaces", [(1e12, 1e12, 1e12), (1e12, 3e12, 5e11)])
def test_assets_stay_but_for_those_that_go_to_their_first_choice(spaces: tuple[float, ...]) -> None:
    draws = drawn(ASSETS, [box(number, space) for number, space in enumerate(spaces)])
    first, had, lies = draws.argmin(axis=0), np.zeros(draws.shape, np.bool_), np.arange(len(ASSETS)) % 2
    had[0, ::2] = had[1, 1::2] = True
    assert (staying(draws, had).argmin(axis=0) == lies).all()
    goes = first == 2
    assert goes.any()
    kept = staying(draws, had, goes)
    assert (kept.argmin(axis=0) == np.where(goes, 2, lies)).all()
    assert (kept.argsort(axis=0)[1] == lies)[goes].all(), "those that find no room there stay"
    assert (draws.argmin(axis=0) == first).all(), "as they were"


def test_assets_go_by_rank_where_nothing_lay_or_nothing_is() -> None:
    draws = drawn(ASSETS, [box(0), box(1)])
    assert staying(draws, np.zeros(draws.shape, np.bool_)) is draws
    none = drawn(ASSETS[:0], [box(0), box(1)])
    assert staying(none, np.zeros((2, 0), np.bool_)) is none
    assert staying(draws[:0], np.zeros((0, len(ASSETS)), np.bool_)).shape == (0, len(ASSETS))
