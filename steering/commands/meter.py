"""Progress of a long command: a bar on a terminal, a line per tenth elsewhere."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TransferSpeedColumn

from oca.common.command import print_error
from oca.common.units import format_bytes


class Meter:
    """How much is done of something, in bytes or in a ``unit``; ``doing`` it is what the command does."""

    def __init__(self, title: str, *, doing: str, done: str, unit: str = "") -> None:
        self._title = title
        self._done = done
        self._unit = unit
        self._tenth = -1
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            columns = (
                TextColumn(f"{doing} {{task.description}}"),
                BarColumn(),
                *((MofNCompleteColumn(), TextColumn(unit)) if unit else (DownloadColumn(), TransferSpeedColumn())),
            )
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)

    def __enter__(self) -> Meter:
        if self._bar is not None:
            self._bar.start()
            self._bar.add_task(self._title)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, done: int, total: int) -> None:
        """Tell how far it is."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total)
        elif total and done * 10 // total != self._tenth:
            self._tenth = done * 10 // total
            told = f"{done} of {total} {self._unit}" if self._unit else f"{format_bytes(done)} of {format_bytes(total)}"
            print_error(f"{self._title}: {told} {self._done}")
