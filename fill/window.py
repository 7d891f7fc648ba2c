"""When a fill may run. Pure: the caller brings the time and the time zone; who waits is the agent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from msgspec import Struct

FORESEEN = timedelta(days=8)
"""A window that stays open for longer than this counts as one that never closes, until it is nearer."""
SEARCHED_DAYS = 400
"""How far ahead an opening is looked for: a window that opens once a week, and a black-out of a year."""
Interval = tuple[datetime, datetime, int]


class WindowState(Struct, frozen=True):
    """Whether a fill may run, and until when that holds (UTC).

    ``until`` is None where no change is foreseen. ``rate_bytes_per_s_max`` is the cap of the window that is open; 0: it
    has none of its own. ``urgent_allowed`` is false while a black-out keeps what is urgent waiting, too.
    ``night`` names the night that a fill counts to now: the local date on which the window opened, else today's.
    """

    opened: bool
    until: datetime | None
    why: str
    rate_bytes_per_s_max: int = 0
    urgent_allowed: bool = True
    night: str = ""


class Span(Struct, frozen=True):
    """Wall-clock times of one day; ``end`` before ``start`` is the next day's, as ``start`` 24 hours later."""

    start: time
    end: time
    rate_bytes_per_s_max: int = 0


class Blackout(Struct, frozen=True):
    """Dates, both included, on which nothing is filled from midnight to midnight."""

    first: date
    last: date


class Window(Struct, frozen=True):
    """Fill windows of a week, Monday's first, in one time zone.

    Where clocks go back, a window keeps open through the repeated hour; where they go forward, a boundary in the
    skipped hour counts as many minutes after the change as it would have been after the hour began (PEP 495,
    fold=0), so a window that lies in the skipped hour whole does not open that day.
    """

    days: tuple[tuple[Span, ...], ...]
    zone: tzinfo
    blackouts: tuple[Blackout, ...] = ()

    def state(self, now: datetime) -> WindowState:
        """Whether a window is open at ``now`` (aware). Windows that touch or overlap are one."""
        today = now.astimezone(self.zone).date()
        for opens, closes in _merged(self._intervals(today), now + FORESEEN):
            if now >= closes:
                continue
            if opens > now:
                return self._closed(today, opens, f"the window opens at {self._shown(opens)}")
            rate = self._rate(today, now)
            if closes > now + FORESEEN:
                why = "the window does not close"
                return WindowState(opened=True, until=None, why=why, rate_bytes_per_s_max=rate, night=str(today))
            why = f"the window closes at {self._shown(closes)}"
            night = str(opens.astimezone(self.zone).date())
            return WindowState(opened=True, until=closes, why=why, rate_bytes_per_s_max=rate, night=night)
        return self._closed(today, None, f"no window opens in the next {SEARCHED_DAYS} days")

    def _closed(self, today: date, until: datetime | None, why: str) -> WindowState:
        blacked_out = self._blacked_out(today)
        why = f"{today} is blacked out; {why}" if blacked_out else why
        return WindowState(opened=False, until=until, why=why, urgent_allowed=not blacked_out, night=str(today))

    def _intervals(self, today: date) -> Iterator[Interval]:
        """Every stretch in which a window is open, by its beginning, from yesterday's on."""
        for days in range(-1, SEARCHED_DAYS):
            yield from self._on(today + timedelta(days=days))

    def _on(self, day: date) -> list[Interval]:
        return sorted(part for span in self.days[day.weekday()] for part in self._allowed(day, span))

    def _allowed(self, day: date, span: Span) -> Iterator[Interval]:
        """``span`` as it falls on ``day``, without what is blacked out of it."""
        next_day = day + timedelta(days=1)
        last_day = next_day if span.end <= span.start else day
        start = datetime.combine(day, span.start, tzinfo=self.zone)
        end = datetime.combine(last_day, span.end, tzinfo=self.zone)
        opens, closes = start.astimezone(UTC), max(end.astimezone(UTC), end.replace(fold=1).astimezone(UTC))
        midnight = datetime.combine(next_day, time(), tzinfo=self.zone).astimezone(UTC)
        if self._blacked_out(day):
            opens = max(opens, midnight)
        if self._blacked_out(next_day):
            closes = min(closes, midnight)
        if opens < closes:
            yield opens, closes, span.rate_bytes_per_s_max

    def _blacked_out(self, day: date) -> bool:
        return any(blackout.first <= day <= blackout.last for blackout in self.blackouts)

    def _rate(self, today: date, now: datetime) -> int:
        """The lowest cap of those windows that are open now and have one."""
        near = [*self._on(today - timedelta(days=1)), *self._on(today)]
        return min((rate for opens, closes, rate in near if opens <= now < closes and rate), default=0)

    def _shown(self, instant: datetime) -> str:
        local = instant.astimezone(self.zone)
        return f"{local:%Y-%m-%d %H:%M} {local.tzname()}"


def every_day(span: Span, zone: tzinfo) -> Window:
    """The same window on each day of the week."""
    return Window(days=((span,),) * 7, zone=zone)


def parse_wall_time(text: str) -> time:
    """``HH:MM``, as the settings have checked it."""
    return time.fromisoformat(text)


def parse_blackout(text: str) -> Blackout:
    """``2026-12-24``, or ``2026-12-24/2027-01-01``.

    Raises:
        ValueError: There is no such date, or the last is before the first.
    """
    first, _, last = text.partition("/")
    blackout = Blackout(date.fromisoformat(first), date.fromisoformat(last or first))
    if blackout.last < blackout.first:
        raise ValueError(f"{blackout.last} is before {blackout.first}")
    return blackout


def _merged(parts: Iterator[Interval], enough: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Stretches that touch, as one; one that reaches beyond ``enough`` is followed no further."""
    whole: tuple[datetime, datetime] | None = None
    for opens, closes, _ in parts:
        if whole is not None and opens > whole[1]:
            yield whole
            whole = None
        whole = (whole[0], max(whole[1], closes)) if whole is not None else (opens, closes)
        if whole[0] < enough < whole[1]:
            break
    if whole is not None:
        yield whole
