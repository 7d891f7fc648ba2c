"""When a fill may run. Pure: the caller brings the time and the time zone; who waits is the agent."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from msgspec import Struct


class WindowState(Struct, frozen=True):
    """Whether the window is open and until when that holds (UTC); ``until`` is None for a window that never closes."""

    opened: bool
    until: datetime | None
    why: str


class Window(Struct, frozen=True):
    """A daily window in wall-clock time. ``end`` before ``start`` is the next day's; equal ones never close."""

    start: time
    end: time
    zone: tzinfo

    def state(self, now: datetime) -> WindowState:
        """Whether the window is open at ``now`` (aware).

        Where clocks go back, the window keeps open through the repeated hour; where they go forward, a boundary in
        the skipped hour counts as many minutes after the change as it would have been after the hour began
        (PEP 495, fold=0), so a window that lies in the skipped hour whole does not open that day.
        """
        if self.start == self.end:
            return WindowState(opened=True, until=None, why="the window never closes")
        today = now.astimezone(self.zone).date()
        spans = [self._on(today + timedelta(days=days)) for days in range(-1, 3)]
        opens, closes = next(span for span in spans if now < span[1] and span[0] < span[1])
        if opens <= now:
            return WindowState(opened=True, until=closes, why=f"the window closes at {self._shown(closes)}")
        return WindowState(opened=False, until=opens, why=f"the window opens at {self._shown(opens)}")

    def _on(self, day: date) -> tuple[datetime, datetime]:
        last_day = day + timedelta(days=1) if self.end < self.start else day
        start = datetime.combine(day, self.start, tzinfo=self.zone)
        end = datetime.combine(last_day, self.end, tzinfo=self.zone)
        return start.astimezone(UTC), max(end.astimezone(UTC), end.replace(fold=1).astimezone(UTC))

    def _shown(self, instant: datetime) -> str:
        local = instant.astimezone(self.zone)
        return f"{local:%Y-%m-%d %H:%M} {local.tzname()}"


def parse_wall_time(text: str) -> time:
    """``HH:MM``, as the settings have checked it."""
    return time.fromisoformat(text)
