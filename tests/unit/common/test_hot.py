from __future__ import annotations

import pytest

from oca.common.hot import SLICE_S, WINDOW_S, Hot, HotWindow


def test_hot_orders_assets_by_bytes() -> None:
    window = HotWindow()
    window.add([("a/v", 2, 1000), ("b/v", 1, 3000)], 0)
    window.add([("a/v", 2, 1000)], SLICE_S)
    assert window.top(5, 2 * SLICE_S) == [Hot("b/v", 0.1, 300.0), Hot("a/v", 0.4, 200.0)]
    assert [hot.asset for hot in window.top(1, 2 * SLICE_S)] == ["b/v"]


def test_hot_forgets_what_is_long_ago() -> None:
    window = HotWindow()
    window.add([("a/v", 1, 1)], 0)
    window.add([("a/v", 1, 1)], 1)
    assert window.top(5, WINDOW_S - 1)
    assert window.top(5, WINDOW_S) == []


def test_hot_counts_first_seconds_as_a_slice() -> None:
    window = HotWindow()
    window.add([("a/v", 5, 50)], 0)
    assert window.top(5, 0.1)[0].requests_per_s == pytest.approx(5 / SLICE_S)
