from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fill.window import Window, parse_wall_time

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kolkata"), UTC]


def local(text: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


def window(start: str, end: str) -> Window:
    return Window(start=parse_wall_time(start), end=parse_wall_time(end), zone=BERLIN)


@pytest.mark.parametrize(
    ("start", "end", "now", "opened", "until"),
    [
        ("02:00", "14:00", "2026-01-10 01:59", False, "2026-01-10 02:00"),
        ("02:00", "14:00", "2026-01-10 02:00", True, "2026-01-10 14:00"),
        ("02:00", "14:00", "2026-01-10 13:59", True, "2026-01-10 14:00"),
        ("02:00", "14:00", "2026-01-10 14:00", False, "2026-01-11 02:00"),
        ("22:00", "06:00", "2026-01-10 23:00", True, "2026-01-11 06:00"),
        ("22:00", "06:00", "2026-01-11 05:59", True, "2026-01-11 06:00"),
        ("22:00", "06:00", "2026-01-11 06:00", False, "2026-01-11 22:00"),
        ("22:00", "00:00", "2026-01-10 23:59", True, "2026-01-11 00:00"),
        # Clocks go forward on 2026-03-29: 02:00 CET becomes 03:00 CEST.
        ("02:00", "14:00", "2026-03-29 01:59", False, "2026-03-29 03:00"),
        ("01:00", "02:30", "2026-03-29 03:15", True, "2026-03-29 03:30"),
        ("02:10", "02:50", "2026-03-29 01:00", False, "2026-03-29 03:10"),
        ("02:30", "03:10", "2026-03-29 01:00", False, "2026-03-30 02:30"),
        ("22:00", "06:00", "2026-03-28 23:00", True, "2026-03-29 06:00"),
    ],
)
def test_window_tells_state_and_next_change(start: str, end: str, now: str, opened: bool, until: str) -> None:
    state = window(start, end).state(local(now))
    assert (state.opened, state.until) == (opened, local(until))


def test_window_stays_open_through_repeated_hour() -> None:
    # Clocks go back on 2026-10-25: 03:00 CEST becomes 02:00 CET, so 02:00 to 03:00 comes twice.
    night = window("01:00", "02:30")
    first, between, second = local("2026-10-25 02:29"), local("2026-10-25 02:45"), local("2026-10-25 02:29", fold=1)
    assert [night.state(now).opened for now in (first, between, second)] == [True, True, True]
    assert night.state(second).until == local("2026-10-25 02:30", fold=1)
    assert not night.state(local("2026-10-25 02:30", fold=1)).opened


def test_window_opens_in_first_of_repeated_hours() -> None:
    assert window("02:30", "05:00").state(local("2026-10-25 02:31")).opened


def test_window_never_closes_when_start_is_end() -> None:
    state = window("02:00", "02:00").state(local("2026-01-10 12:00"))
    assert (state.opened, state.until, state.why) == (True, None, "the window never closes")


def test_window_says_why_in_local_time() -> None:
    assert window("02:00", "14:00").state(local("2026-07-01 20:00")).why == "the window opens at 2026-07-02 02:00 CEST"
    assert window("02:00", "14:00").state(local("2026-07-01 03:00")).why == "the window closes at 2026-07-01 14:00 CEST"


minutes = st.integers(0, 24 * 60 - 1)
instants = st.integers(0, 3 * 366 * 24 * 60).map(lambda m: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=m))


@given(start=minutes, end=minutes, now=instants, zone=st.sampled_from(ZONES))
@example(start=150, end=160, now=datetime(2026, 3, 29, 0, 0, tzinfo=UTC), zone=BERLIN)
def test_window_keeps_its_state_until_it_says(start: int, end: int, now: datetime, zone: ZoneInfo) -> None:
    night = Window(start=time(start // 60, start % 60), end=time(end // 60, end % 60), zone=zone)
    state = night.state(now)
    if state.until is None:
        assert start == end
        return
    assert now < state.until <= now + timedelta(days=3)
    assert night.state(state.until - timedelta(seconds=1)).opened == state.opened
    assert night.state(state.until).opened != state.opened


@given(start=minutes, end=minutes, now=instants, zone=st.sampled_from(ZONES))
def test_window_follows_wall_clock_away_from_changes(start: int, end: int, now: datetime, zone: ZoneInfo) -> None:
    near = [(now + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in range(-30, 31)]
    if len(set(near)) > 1 or start == end:
        return
    wall = now.astimezone(zone)
    minute = wall.hour * 60 + wall.minute
    inside = start <= minute < end if start < end else (minute >= start or minute < end)
    night = Window(start=time(start // 60, start % 60), end=time(end // 60, end % 60), zone=zone)
    assert night.state(now).opened == inside
