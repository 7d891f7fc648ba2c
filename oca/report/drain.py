"""Remembers across restarts that an operator has drained the appliance: an empty file on its first device.

When that was is the file's own time, and until when another's: to keep them takes no space, so a full device can be
drained, too.
"""

from __future__ import annotations

import os
from pathlib import Path

from oca.common.clock import monotonic_s, now_ns
from oca.common.log import get_logger
from oca.report.serving import ServingState, drain_reason

MARKER = "drained"
UNTIL = "drained-until"
_log = get_logger("drain")


class Drain:
    """The serving state, kept in step with its marker file."""

    def __init__(self, device: Path, *, drain_s_max: float) -> None:
        """Take up the state that the last run left on ``device``."""
        self.serving = ServingState(drain_s_max=drain_s_max)
        self._marker = device / MARKER
        self._until = device / UNTIL
        self.at_ns = self._time_of(self._marker)
        """When an operator drained the appliance; 0 while none has."""
        self.until_ns = self._time_of(self._until) if self.at_ns else 0
        """When it serves again by itself; 0: when an operator says so."""
        if self.at_ns:
            self.serving.drain(monotonic_s())
            _log.info("still drained by an operator", why=self.reason)

    @property
    def reason(self) -> str:
        """Who drained the appliance, since when, and how to undo it; empty while it serves."""
        return drain_reason(self.serving.state, self.at_ns, self.until_ns)

    def drain(self, for_s: int = 0) -> bool:
        """Send no new viewers here, for so long or (0) until told otherwise; false where that is so already.

        A time that is given counts from now, also where it is drained already.
        """
        changed = self.serving.drain(monotonic_s())
        if for_s:
            self.until_ns = now_ns() + for_s * 10**9
            self._remember(self._until, wanted=True, at_ns=self.until_ns)
        if changed:
            self.at_ns = now_ns()
            self._remember(self._marker, wanted=True)
            _log.info("draining: steering sends no new viewers, who plays is moved or finishes")
        return changed

    def undrain(self) -> bool:
        """Serve again; false where that is so already."""
        changed = self.serving.undrain()
        if changed:
            self.at_ns = self.until_ns = 0
            self._remember(self._marker, wanted=False)
            self._remember(self._until, wanted=False)
            _log.info("serving again")
        return changed

    def observe(self, connections: int) -> bool:
        """Take note of the viewers left and of the time; true when the state changes by that."""
        if self.until_ns and now_ns() >= self.until_ns:
            return self.undrain()
        changed = self.serving.observe(monotonic_s(), connections)
        if changed:
            _log.info("drained", connections=connections)
        return changed

    def left_s(self) -> float:
        """Seconds until a running drain ends whatever happens."""
        return self.serving.drain_left_s(monotonic_s())

    def _time_of(self, marker: Path) -> int:
        try:
            return marker.stat().st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            return 0
        except OSError as error:
            _log.warning(
                "whether an operator had drained this appliance cannot be read: it serves",
                file=str(marker),
                error=error.strerror,
                remedy="mend the device; 'oca drain' drains again",
            )
            return 0

    @staticmethod
    def _remember(marker: Path, *, wanted: bool, at_ns: int = 0) -> None:
        try:
            if not wanted:
                marker.unlink(missing_ok=True)
                return
            marker.touch()
            if at_ns:
                os.utime(marker, ns=(at_ns, at_ns))
        except OSError as error:
            _log.warning("the serving state will not outlive a restart", file=str(marker), error=error.strerror)
