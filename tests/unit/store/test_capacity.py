"""Space accounting and the choice of a device."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.store.capacity import DeviceSpace, capacity_bytes, choose_device, free_bytes

SPACE = DeviceSpace(total=1000, available=400, held=200, staged=50)


@pytest.mark.parametrize(
    ("limit", "reserve", "capacity", "free"),
    [
        (0, 0.0, 650, 400),
        (0, 0.1, 550, 300),
        (300, 0.1, 300, 50),
        (100, 0.1, 100, 0),
        (10_000, 0.0, 650, 400),
        (0, 0.5, 150, 0),
    ],
)
def test_capacity_follows_file_system_reserve_and_limit(limit: int, reserve: float, capacity: int, free: int) -> None:
    assert capacity_bytes(SPACE, device_bytes_max=limit, reserve_ratio=reserve) == capacity
    assert free_bytes(SPACE, awaited=0, device_bytes_max=limit, reserve_ratio=reserve) == free


def test_free_bytes_leave_what_open_parts_will_take() -> None:
    assert free_bytes(SPACE, awaited=150, device_bytes_max=0, reserve_ratio=0.1) == 150


@given(
    available=st.integers(0, 10**15), held=st.integers(0, 10**15), limit=st.integers(0, 10**15), ratio=st.floats(0, 0.5)
)
def test_free_bytes_never_touch_reserve_or_limit(available: int, held: int, limit: int, ratio: float) -> None:
    total = available + held
    space = DeviceSpace(total=total, available=available, held=held)
    free = free_bytes(space, awaited=0, device_bytes_max=limit, reserve_ratio=ratio)
    assert 0 <= free <= available
    assert free == 0 or available - free >= int(total * ratio)
    assert free == 0 or not limit or held + free <= limit


@pytest.mark.parametrize(
    ("need", "free", "preferred", "chosen"),
    [
        (10, [5, 20, 15], None, 1),
        (10, [5, 20, 15], 2, 2),
        (18, [5, 20, 15], 2, 1),
        (21, [5, 20, 15], None, None),
        (10, [12, 12], None, 0),
        (0, [], None, None),
    ],
)
def test_device_is_chosen_by_room(need: int, free: list[int], preferred: int | None, chosen: int | None) -> None:
    room = dict(enumerate(free))
    assert choose_device(need, room, dict.fromkeys(room, 0.0), preferred=preferred) == chosen


@pytest.mark.parametrize(
    ("own_heat", "free", "heat", "chosen"),
    [
        (5.0, {0: 30, 1: 20}, {0: 50.0, 1: 40.0}, 1),  # hot: where the least is sent
        (5.0, {0: 30, 1: 9}, {0: 50.0, 1: 40.0}, 0),  # unless it does not fit there
        (5.0, {0: 20, 1: 30}, {0: 40.0, 1: 40.0}, 1),  # equally busy: where more is free
        (0.1, {0: 30, 1: 20}, {0: 50.0, 1: 40.0}, 0),  # not hot: where the most is free
        (5.0, {0: 20, 1: 30}, {0: 0.0, 1: 0.0}, 1),  # the first hot one
        (5.0, {4: 9}, {4: 0.0}, None),
    ],
)
def test_device_of_hot_asset_is_chosen_by_load(
    own_heat: float, free: dict[int, int], heat: dict[int, float], chosen: int | None
) -> None:
    assert choose_device(10, free, heat, own_heat=own_heat) == chosen


@given(st.lists(st.floats(5, 10), min_size=20, max_size=60), st.integers(2, 8))
def test_devices_share_load_of_hot_assets(heats: list[float], devices: int) -> None:
    free, heat = dict.fromkeys(range(devices), 10**6), dict.fromkeys(range(devices), 0.0)
    for own in sorted(heats, reverse=True):
        chosen = choose_device(1, free, heat, own_heat=own)
        assert chosen is not None
        heat[chosen] += own
    assert max(heat.values()) - min(heat.values()) <= max(heats)
