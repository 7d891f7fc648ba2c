"""Whether a fill may run now, and how fast: the window, an operator's pause, and what the night has left."""

from __future__ import annotations

from fill.settings import Configuration
from fill.state import FillState
from fill.window import WindowState
from oca.common import clock
from oca.common.errors import StoreError
from oca.common.log import get_logger
from oca.common.units import format_bytes, format_instant
from oca.store.fill_record import Pause

_log = get_logger("fill")


class Gate:
    """Asked before a fill and every few seconds of it.

    Args:
        configuration: Windows and caps.
        state: Knows of pauses and nights.
        ignore_window: Fill at once, whatever the time.
    """

    def __init__(self, configuration: Configuration, state: FillState, *, ignore_window: bool) -> None:
        self._configuration = configuration
        self._state = state
        self._ignore_window = ignore_window
        self._read_fault = ""

    def look(self) -> WindowState:
        """How it stands now."""
        state = self._configuration.window.state(clock.utc_now())
        if pause := self._pause():
            until = clock.utc_of(pause.until_ns) if pause.until_ns else None
            return WindowState(opened=False, until=until, why=pause_why(pause), urgent_allowed=False, night=state.night)
        if self._ignore_window:
            return WindowState(opened=True, until=None, why="told to fill now", night=state.night)
        return state

    def rate_bytes_per_s_max(self) -> int:
        """The cap that holds now; 0: none."""
        return self.look().rate_bytes_per_s_max or self._configuration.own.fill.rate_bytes_per_s_max

    def bytes_left(self, night: str) -> int | None:
        """What may still be fetched in this night; None: as much as there is."""
        most = self._configuration.own.fill.night_bytes_max
        if not most:
            return None
        return max(0, most - sum(each.fetched_bytes for each in self._state.nights() if each.night == night))

    def spent_why(self) -> str:
        """Why nothing more is fetched in this night."""
        most = format_bytes(self._configuration.own.fill.night_bytes_max)
        return f"the night's {most} (fill.night_bytes_max) are fetched; the next night goes on from here"

    def _pause(self) -> Pause | None:
        try:
            return self._state.pause(clock.now_ns())
        except StoreError as error:
            if error.message != self._read_fault:
                self._read_fault = error.message
                _log.warning("whether fills are paused cannot be read; they go on", why=str(error))
            return None


def pause_why(pause: Pause) -> str:
    """A pause in words."""
    why = f"paused by an operator at {format_instant(pause.since_ns)}"
    why += f" until {format_instant(pause.until_ns)}" if pause.until_ns else ""
    why += f": {pause.why}" if pause.why else ""
    return f"{why}; 'oca-fill resume' ends it"
