"""Bars of a fill, for a terminal. Loaded there alone: the toolkit that draws them is large."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

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

from oca.common.messages import FillProgress

BARS_MAX = 8


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
