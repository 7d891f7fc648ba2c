"""Remembers across restarts that an operator has drained the appliance: an empty file on its first device.

When that was is the file's own time: to keep it takes no space, so a full device can be drained, too.
"""

from __future__ import annotations

from pathlib import Path

from oca.common.clock import monotonic_s, now_ns
from oca.common.log import get_logger
from oca.report.serving import ServingState, drain_reason

MARKER = "drained"
_log = get_logger("drain")


class Drain:
    """The serving state, kept in step with its marker file."""

    def __init__(self, device: Path, *, drain_s_max: float) -> None:
        """Take up the state that the last run left on ``device``."""
        self.serving = ServingState(drain_s_max=drain_s_max)
        self._marker = device / MARKER
        self.at_ns = self._drained_at_ns()
        """When an operator drained the appliance; 0 while none has."""
        if self.at_ns:
            self.serving.drain(monotonic_s())
            _log.info("still drained by an operator", why=self.reason)

    @property
    def reason(self) -> str:
        """Who drained the appliance, since when, and how to undo it; empty while it serves."""
        return drain_reason(self.serving.state, self.at_ns)

    def drain(self) -> bool:
        """Send no new viewers here; false where that is so already."""
        changed = self.serving.drain(monotonic_s())
        if changed:
            self.at_ns = now_ns()
            self._remember(wanted=True)
            _log.info("draining: steering sends no new viewers, who plays is moved or finishes")
        return changed

    def undrain(self) -> bool:
        """Serve again; false where that is so already."""
        changed = self.serving.undrain()
        if changed:
            self.at_ns = 0
            self._remember(wanted=False)
            _log.info("serving again")
        return changed

    def observe(self, connections: int) -> bool:
        """Take note of the viewers left; true when that ends the drain."""
        changed = self.serving.observe(monotonic_s(), connections)
        if changed:
            _log.info("drained", connections=connections)
        return changed

    def left_s(self) -> float:
        """Seconds until a running drain ends whatever happens."""
        return self.serving.drain_left_s(monotonic_s())

    def _drained_at_ns(self) -> int:
        try:
            return self._marker.stat().st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            return 0
        except OSError as error:
            _log.warning(
                "whether an operator had drained this appliance cannot be read: it serves",
                file=str(self._marker),
                error=error.strerror,
                remedy="mend the device; 'oca drain' drains again",
            )
            return 0

    def _remember(self, *, wanted: bool) -> None:
        try:
            if wanted:
                self._marker.touch()
            else:
                self._marker.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("the serving state will not outlive a restart", file=str(self._marker), error=error.strerror)
