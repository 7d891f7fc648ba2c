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
    assert choose_device(need, free, preferred=preferred) == chosen
