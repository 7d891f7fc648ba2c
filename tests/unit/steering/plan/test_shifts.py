from __future__ import annotations

import numpy as np

from steering.plan.placement import Box
from steering.plan.rendezvous import drawn, least
from steering.plan.shelf import name_hash
from steering.plan.shifts import shifting

ASSETS = np.array([name_hash(f"asset-{number}") for number in range(400)], np.uint64)
ONE = np.ones(len(ASSETS))


def box(number: int, space: float = 1000.0) -> Box:
    return Box(f"box-{number}", name_hash(f"box-{number}"), space)


def test_what_ranks_a_new_box_first_goes_there_whatever_the_bound() -> None:
    boxes = [box(number) for number in range(3)]
    draws, had = drawn(ASSETS, boxes), np.zeros((3, len(ASSETS)), np.bool_)
    had[0, ::2] = had[1, 1::2] = True
    assert (shifting(draws, had, ONE, boxes, bytes_max=0.0) == (least(draws) == 2)).all()
    assert not shifting(draws, np.zeros_like(had), ONE, boxes, bytes_max=np.inf).any()
    assert not shifting(draws[:0], had[:0], ONE, [], bytes_max=np.inf).any()


def test_what_lies_elsewhere_than_it_ranks_first_stays_where_no_box_is_behind() -> None:
    boxes = [box(number) for number in range(2)]
    draws, had = drawn(ASSETS, boxes), np.zeros((2, len(ASSETS)), np.bool_)
    had[0, ::2] = had[1, 1::2] = True
    assert not shifting(draws, had, ONE, boxes, bytes_max=np.inf).any()


def test_box_with_too_few_of_the_better_half_gets_those_that_rank_it_first_within_the_bound() -> None:
    boxes = [box(0), box(1), box(2, 2000.0)]
    draws, half = drawn(ASSETS, boxes), len(ASSETS) // 2
    had, first, number = np.zeros((3, len(ASSETS)), np.bool_), least(draws), np.arange(len(ASSETS))
    lies = np.where(number < half, number % 2, 2)
    had[lies, number] = True
    goes = shifting(draws, had, ONE, boxes, bytes_max=np.inf)
    assert (first[goes] == 2).all()
    assert not goes[half:].any()
    assert goes.sum() == min(half // 2, (first[:half] == 2).sum())
    some = shifting(draws, had, ONE, boxes, bytes_max=5.0)
    assert np.flatnonzero(some).tolist() == np.flatnonzero(goes)[:5].tolist(), "the best first"
    assert not shifting(draws, had, ONE, boxes, bytes_max=-1.0).any()
