from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fill.window import Blackout, Span, Window, every_day, parse_blackout, parse_wall_time

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kolkata"), UTC]


def local(text: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


def window(start: str, end: str) -> Window:
    return every_day(span(start, end), BERLIN)


def span(start: str, end: str, rate: int = 0) -> Span:
    return Span(parse_wall_time(start), parse_wall_time(end), rate)


def of_minutes(start: int, end: int) -> Span:
    return Span(time(start // 60, start % 60), time(end // 60, end % 60))


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
    assert (state.opened, state.until, state.why) == (True, None, "the window does not close")


def week(**days: tuple[Span, ...]) -> Window:
    names = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    return Window(days=tuple(days.get(name, ()) for name in names), zone=BERLIN)


def test_window_differs_by_day() -> None:
    night = week(friday=(span("23:00", "04:00"),), saturday=(span("03:00", "10:00"), span("14:00", "15:00")))
    # 2026-01-09 is a Friday; its window and Saturday's first overlap.
    assert night.state(local("2026-01-09 22:59")).until == local("2026-01-09 23:00")
    assert night.state(local("2026-01-09 23:00")).until == local("2026-01-10 10:00")
    assert night.state(local("2026-01-10 10:00")).until == local("2026-01-10 14:00")
    assert night.state(local("2026-01-10 15:00")).until == local("2026-01-16 23:00")


def test_window_takes_lowest_cap_of_those_that_are_open() -> None:
    night = week(friday=(span("23:00", "04:00", 500),), saturday=(span("03:00", "10:00", 200), span("09:00", "12:00")))
    rates = [night.state(local(f"2026-01-{at}")).rate_bytes_per_s_max for at in ("09 23:00", "10 03:30", "10 11:00")]
    assert rates == [500, 200, 0]


def test_window_without_days_never_opens() -> None:
    state = week().state(local("2026-01-09 22:59"))
    assert (state.opened, state.until, state.why) == (False, None, "no window opens in the next 400 days")


def test_window_is_cut_at_midnight_by_blackout() -> None:
    night = msgspec.structs.replace(window("22:00", "06:00"), blackouts=(parse_blackout("2026-12-24/2026-12-25"),))
    assert night.state(local("2026-12-23 23:00")).until == local("2026-12-24 00:00")
    closed = night.state(local("2026-12-24 23:00"))
    assert (closed.opened, closed.until, closed.urgent_allowed) == (False, local("2026-12-26 00:00"), False)
    assert closed.why == "2026-12-24 is blacked out; the window opens at 2026-12-26 00:00 CET"
    assert night.state(local("2026-12-26 00:00")).until == local("2026-12-26 06:00")
    assert night.state(local("2026-12-26 12:00")).urgent_allowed


@pytest.mark.parametrize("text", ["2026-02-30", "2026-12-24/2026-12-23", "2026-12-24/never"])
def test_blackout_refuses_dates_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_blackout(text)


def test_window_says_why_in_local_time() -> None:
    assert window("02:00", "14:00").state(local("2026-07-01 20:00")).why == "the window opens at 2026-07-02 02:00 CEST"
    assert window("02:00", "14:00").state(local("2026-07-01 03:00")).why == "the window closes at 2026-07-01 14:00 CEST"


minutes = st.integers(0, 24 * 60 - 1)
instants = st.integers(0, 3 * 366 * 24 * 60).map(lambda m: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=m))


spans = st.builds(of_minutes, minutes, minutes)
weeks = st.tuples(*[st.lists(spans, max_size=3).map(tuple)] * 7)
blackouts = st.lists(
    st.tuples(st.integers(0, 3 * 366), st.integers(0, 20)).map(
        lambda drawn: Blackout(
            date(2025, 1, 1) + timedelta(days=drawn[0]), date(2025, 1, 1) + timedelta(days=sum(drawn))
        )
    ),
    max_size=4,
).map(tuple)


@given(days=weeks, dates=blackouts, now=instants, zone=st.sampled_from(ZONES))
@example(days=((of_minutes(150, 160),),) * 7, dates=(), now=datetime(2026, 3, 29, 0, 0, tzinfo=UTC), zone=BERLIN)
def test_window_keeps_its_state_until_it_says(
    days: tuple[tuple[Span, ...], ...], dates: tuple[Blackout, ...], now: datetime, zone: ZoneInfo
) -> None:
    night = Window(days=days, zone=zone, blackouts=dates)
    state = night.state(now)
    if state.until is None:
        look = [now + timedelta(hours=hours) for hours in range(24 * 8)]
        assert {night.state(instant).opened for instant in look} == {state.opened}
        return
    assert now < state.until
    between = now + (state.until - now) / 3
    for instant in (between, state.until - timedelta(seconds=1)):
        if now <= instant < state.until:
            assert night.state(instant).opened == state.opened
    assert night.state(state.until).opened != state.opened


@given(days=weeks, dates=blackouts, now=instants, zone=st.sampled_from(ZONES))
def test_window_never_opens_on_blacked_out_date(
    days: tuple[tuple[Span, ...], ...], dates: tuple[Blackout, ...], now: datetime, zone: ZoneInfo
) -> None:
    state = Window(days=days, zone=zone, blackouts=dates).state(now)
    today = now.astimezone(zone).date()
    blacked_out = any(blackout.first <= today <= blackout.last for blackout in dates)
    assert not (state.opened and blacked_out)
    assert state.opened or state.urgent_allowed == (not blacked_out)


@given(span=spans, zone=st.sampled_from(ZONES), day=st.integers(0, 3 * 366))
def test_window_is_open_as_long_as_the_wall_clock_says(span: Span, zone: ZoneInfo, day: int) -> None:
    # Through a change of clocks the time between two wall-clock times grows or shrinks by the change at most.
    noon = datetime(2025, 1, 1, 12, tzinfo=zone) + timedelta(days=day)
    if span.start == span.end:
        return
    night = every_day(span, zone)
    state = night.state(noon.astimezone(UTC))
    opening = state if not state.opened else night.state(state.until or noon)
    assert opening.until is not None
    closing = night.state(opening.until)
    assert closing.until is not None
    lasts = (closing.until - opening.until).total_seconds() / 60
    wanted = ((span.end.hour - span.start.hour) * 60 + span.end.minute - span.start.minute) % (24 * 60)
    assert abs(lasts - wanted) <= 60
    if opening.until.astimezone(zone).utcoffset() == closing.until.astimezone(zone).utcoffset():
        assert lasts == wanted or lasts == wanted + 60


@given(start=minutes, end=minutes, now=instants, zone=st.sampled_from(ZONES))
def test_window_follows_wall_clock_away_from_changes(start: int, end: int, now: datetime, zone: ZoneInfo) -> None:
    near = [(now + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in range(-30, 31)]
    if len(set(near)) > 1 or start == end:
        return
    wall = now.astimezone(zone)
    minute = wall.hour * 60 + wall.minute
    inside = start <= minute < end if start < end else (minute >= start or minute < end)
    night = every_day(of_minutes(start, end), zone)
    assert night.state(now).opened == inside
