"""Shows a fill to whoever started it: a log line now and then; ``bars`` does on a terminal. Decides nothing."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from oca.common.log import get_logger
from oca.common.messages import FillProgress
from oca.common.units import format_bytes, format_duration, format_rate

LOG_INTERVAL_S = 10.0
_log = get_logger("fill")


class Display(Protocol):
    """Something that a fill's progress is shown on."""

    def __enter__(self) -> Self:
        """Start showing."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Stop showing."""

    def show(self, progress: FillProgress) -> None:
        """Show where the fill stands now; called several times a second."""


class LogDisplay:
    """A line every ``LOG_INTERVAL_S`` while bytes come in, for a log that a person or a program reads later."""

    def __init__(self) -> None:
        self._shown_at_ns = 0
        self._shown_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        return

    def show(self, progress: FillProgress) -> None:
        """Log, if the last line is old enough."""
        since = self._shown_at_ns or progress.started_at_ns
        elapsed_s = (progress.updated_at_ns - since) / 1e9
        if elapsed_s < LOG_INTERVAL_S:
            return
        came_bytes = max(0, progress.bytes_done - self._shown_bytes)
        self._shown_at_ns, self._shown_bytes = progress.updated_at_ns, progress.bytes_done
        _log.info(
            "filling",
            assets=f"{progress.assets_done} of {progress.assets_total}",
            bytes=f"{format_bytes(progress.bytes_done)} of {format_bytes(progress.bytes_total)}",
            rate=format_rate(came_bytes / elapsed_s),
            held_back=progress.reason,
        )


def summary(progress: FillProgress) -> str:
    """The fill in one line, once it is over."""
    took_s = max(1e-3, (progress.updated_at_ns - progress.started_at_ns) / 1e9)
    line = "everything that the plan names is held already"
    if progress.assets_total or progress.reason:
        line = (
            f"{progress.assets_done} of {progress.assets_total} assets fetched, {format_bytes(progress.bytes_done)} "
            f"in {format_duration(took_s)}, {progress.assets_evicted} evicted"
        )
    return f"{line}; {progress.reason}" if progress.reason else line
