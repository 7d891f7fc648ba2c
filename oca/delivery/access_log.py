"""The access log of one worker: lines gather while requests are answered, and leave some at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oca.common import clock
from oca.common.log import get_logger
from oca.common.sampling import Evenly
from oca.delivery.access_lines import Line, combined_lines, json_lines
from oca.delivery.access_log_settings import AccessLogTable
from oca.delivery.clients import truncated
from oca.delivery.line_writer import LineWriter
from oca.delivery.metrics import DELIVERY_SLOTS

GATHERED_MAX = 128
"""Lines that are put into their form and handed over in one go: some 25 µs, and as much for the thread that writes
them, so that no request waits for a whole tick's lines."""
QUIET_S = 60.0
"""So long after lines were lost the log says nothing of further ones."""
_WRITTEN = DELIVERY_SLOTS["delivery_log_lines"]
_LOST = DELIVERY_SLOTS["delivery_log_lines_lost"]
_FORMS: dict[str, Callable[[Sequence[Line]], bytes]] = {"json": json_lines, "combined": combined_lines}
_log = get_logger("access-log")


class AccessLog:
    """``add`` takes what is to be logged; ``time`` is what lines say it is, as of the last tick."""

    def __init__(self, settings: AccessLogTable, counts: memoryview[int]) -> None:
        self._settings = settings
        self._counts = counts
        self._form = _FORMS[settings.format]
        self._writer = LineWriter(settings.path, waiting_bytes_max=settings.waiting_bytes_max)
        self.samples = Evenly(settings.sample).takes
        """Whether to log all of a new connection: of each ten one, say, and evenly so."""
        self._refused = self._written = self._lost = 0
        self._said_at_s = float("-inf")
        self.errors = settings.errors
        self._lines: list[Line] = []
        self.time = ""
        self._tell_time()

    @classmethod
    def wanted(cls, settings: AccessLogTable, counts: memoryview[int]) -> AccessLog | None:
        """None where no file is named: a request then costs nothing more."""
        return cls(settings, counts) if settings.path else None

    def shown(self, client: str) -> str:
        """A client as lines name it."""
        how = self._settings.client
        return client if how == "whole" else truncated(client) if how == "truncated" else ""

    def add(self, line: Line) -> None:
        """Take a line; it is written after the next tick at the latest."""
        self._lines.append(line)
        if len(self._lines) >= GATHERED_MAX:
            self._gather()

    def tick(self, now_s: float) -> None:
        """Hand over what was gathered."""
        if self._lines:
            self._gather()
        self._tell_time()
        self._account(now_s)

    def reopen(self) -> None:
        """Go on in a new file, the old one having been renamed."""
        self._writer.reopen()

    def close(self) -> None:
        """Write what there is; a disk that hangs is not waited for long."""
        self.tick(clock.monotonic_s())
        self._writer.close()
        self._account(clock.monotonic_s())

    def _gather(self) -> None:
        if not self._writer.write(self._form(self._lines)):
            self._refused += len(self._lines)
        self._lines.clear()

    def _tell_time(self) -> None:
        self.time = clock.utc_now().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _account(self, now_s: float) -> None:
        writer = self._writer
        written, lost = writer.written, writer.lost + self._refused
        self._counts[_WRITTEN] += written - self._written
        self._written = written
        if lost == self._lost:
            return
        self._counts[_LOST] += lost - self._lost
        self._lost = lost
        if now_s - self._said_at_s > QUIET_S:
            _log.warning(
                "access log lines are lost",
                path=self._settings.path,
                error=writer.error or "the disk is too slow",
                remedy="make room or take another [delivery.access_log] path; lower sample",
            )
        self._said_at_s = now_s
