from collections import OrderedDict

import numpy as np
import pytest

from benchmarks.forecast.caches import POLICIES, UNIT_BYTES, Trace, next_views, run_caches


def lru_misses(assets: list[int], size: np.ndarray, capacity: float) -> list[bool]:
    kept: OrderedDict[int, float] = OrderedDict()
    missed = []
    for asset in assets:
        missed.append(asset not in kept)
        kept[asset] = size[asset]
        kept.move_to_end(asset)
        while sum(kept.values()) > capacity:
            kept.popitem(last=False)
    return missed


def test_caches_agree_with_lru_by_hand_and_clairvoyant_loses_least() -> None:
    chance = np.random.default_rng(2)
    trace, curve = Trace(), np.ones(24) / 24
    views = np.bincount(chance.zipf(1.3, 400) % 30, minlength=30)
    for day in range(3):
        trace.add_day(day, views, curve, chance)
    size = np.full(30, 5.0 * UNIT_BYTES)
    assets, hours = np.concatenate(trace.assets), np.concatenate(trace.hours)
    found = run_caches(trace, size, POLICIES, capacity_bytes=40e6, counted_from_hour=24, peak_hour=7)
    missed = np.array(lru_misses(assets.tolist(), size, 40e6))
    assert found["LRU"].missed_bytes == missed[hours >= 24].sum() * 5e6
    assert found["LRU"].missed_at_peak_bytes == missed[(hours >= 24) & (hours % 24 == 7)].sum() * 5e6
    assert all(each.watched_bytes == (hours >= 24).sum() * 5e6 for each in found.values())
    assert found["Belady"].missed_bytes <= min(each.missed_bytes for each in found.values())


def test_trace_keeps_of_another_what_was_missed() -> None:
    trace, missed = Trace(), Trace()
    trace.add_day(1, np.array([2, 3]), np.ones(24) / 24, np.random.default_rng(1))
    missed.add_missed(trace, np.array([True, False]))
    assert missed.assets[0].tolist() == [0, 0]
    assert ((missed.hours[0] >= 24) & (missed.hours[0] < 48)).all()


def test_next_views_point_at_the_following_of_the_same() -> None:
    assert next_views(np.array([3, 1, 3, 3, 1], np.int32)).tolist() == [2, 4, 3, -1, -1]


def test_curve_decides_when_views_come() -> None:
    curve = np.zeros(24)
    curve[5] = 1
    trace = Trace()
    trace.add_day(2, np.array([4]), curve, np.random.default_rng(0))
    assert trace.hours[0] == pytest.approx([53] * 4)
