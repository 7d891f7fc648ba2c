"""Shows a fill to whoever started it: bars on a terminal, a log line now and then elsewhere. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from oca.common.log import get_logger
from oca.common.messages import FillProgress
from oca.common.units import format_bytes, format_duration, format_rate

LOG_INTERVAL_S = 10.0
BARS_MAX = 8
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


class BarDisplay:
    """A bar for the whole fill, and one for each of the first assets on their way.

    Args:
        renew_log: Called when standard error has changed, which while the bars are up prints lines above them.
        console: Where the bars are drawn.
    """

    def __init__(self, renew_log: Callable[[], None], console: Console) -> None:
        self._renew_log = renew_log
        self._bars = Progress(
            TextColumn("{task.description}", justify="left"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        self._whole: TaskID | None = None
        self._assets: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        self._renew_log()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._bars.stop()
        self._renew_log()

    def show(self, progress: FillProgress) -> None:
        """Move the bars."""
        if self._whole is None:
            self._whole = self._bars.add_task("fill", total=None, note="")
        note = f"{progress.assets_done} of {progress.assets_total} assets"
        if progress.assets_failed:
            note += f", {progress.assets_failed} failed"
        if progress.state == "running" and progress.reason:
            note += f"; {progress.reason}"
        self._bars.update(self._whole, completed=progress.bytes_done, total=progress.bytes_total, note=note)
        coming = {entry.asset: entry for entry in progress.current if entry.state == "fetching"}
        for asset in [asset for asset in self._assets if asset not in coming]:
            self._bars.remove_task(self._assets.pop(asset))
        for asset, entry in list(coming.items())[:BARS_MAX]:
            if asset not in self._assets:
                self._assets[asset] = self._bars.add_task(f"  {asset}", total=entry.bytes, note="")
            self._bars.update(self._assets[asset], completed=entry.bytes_done, note=entry.source)


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
