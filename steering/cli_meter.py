"""Progress of a long command: a bar on a terminal, a line per tenth elsewhere."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from oca.common.command import print_error
from oca.common.units import format_bytes


class Meter:
    """Bytes done of a title or file: ``doing`` it is what the command does."""

    def __init__(self, title: str, *, doing: str, done: str) -> None:
        self._title = title
        self._done = done
        self._tenth = -1
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            columns = (
                TextColumn(f"{doing} {{task.description}}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
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
            print_error(f"{self._title}: {format_bytes(done)} of {format_bytes(total)} {self._done}")
