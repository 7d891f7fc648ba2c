"""What the demo says while it works: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from oca.common.clock import monotonic_s

LINE_EVERY_S = 10.0
console = Console(highlight=False, soft_wrap=True)


class Advance(Protocol):
    """Told how far the work came; ``more`` says what is being done right now."""

    def __call__(self, done: float, more: str = "") -> None: ...


def say(text: str = "") -> None:
    """One line, as it is."""
    console.print(text, markup=False)


def complain(text: str) -> None:
    """One line on standard error."""
    sys.stdout.flush()
    sys.stderr.write(f"demo: {text}\n")


@contextmanager
def work(what: str, total: float) -> Iterator[Advance]:
    """Show the progress of one piece of work, and how long it took."""
    began = monotonic_s()
    if console.is_terminal:
        columns = (TextColumn(f"{what:<28}"), BarColumn(40), TextColumn("{task.fields[more]}"), TimeElapsedColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(what, total=total, more="")
            yield lambda done, more="": bar.update(task, completed=done, more=more)
            bar.update(task, completed=total, more="")
        return
    say(f"{what} …")
    told_at = monotonic_s()

    def advance(done: float, more: str = "") -> None:
        nonlocal told_at
        if monotonic_s() - told_at >= LINE_EVERY_S:
            told_at = monotonic_s()
            say(f"{what}: {min(done / total, 1) if total else 1:.0%}{', ' if more else ''}{more}")

    yield advance
    say(f"{what}: done in {monotonic_s() - began:.1f} s")
