"""What the commands of ``oca store`` share: their settings, the store they open, and how they print."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from oca.common import settings
from oca.common.box import StoreTable
from oca.common.command import print_error, print_line
from oca.common.log import configure_logging
from oca.common.owner import become_owner
from oca.common.units import format_bytes
from oca.settings import INSTALLED, PREFIX
from oca.store.in_use import open_in_use
from oca.store.reader import StoreReader
from oca.store.records import Fault
from oca.store.store import Store
from oca.store.use import Survey, survey

if TYPE_CHECKING:
    from rich.progress import Progress


class StoreSettings(settings.Table, frozen=True):
    """The one table of ``appliance.toml`` that these commands need."""

    store: StoreTable = StoreTable()


class Meter:
    """How far a long read has come: a bar on a terminal, elsewhere a plain line at every tenth."""

    def __init__(self, action: str, total: int, *, unit: Literal["bytes", "packs"] = "bytes") -> None:
        self._action = action
        self._total = total
        self._of = format_bytes(total) if unit == "bytes" else f"{total} {unit}"
        self._done = 0
        self._tenths = 0
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            self._bar = _new_bar(unit)
            self._task = self._bar.add_task(action, total=total)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, count: int) -> None:
        """So many bytes more are done."""
        self._done += count
        if self._bar is not None:
            self._bar.advance(self._task, count)
        elif self._done * 10 // max(1, self._total) > self._tenths:
            self._tenths = self._done * 10 // max(1, self._total)
            print_error(f"{self._action}: {self._tenths * 10} % of {self._of}")


def _new_bar(unit: Literal["bytes", "packs"]) -> Progress:
    from rich.console import Console  # noqa: PLC0415 - a terminal toolkit, which a program that asks does without
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    amount = DownloadColumn(binary_units=True) if unit == "bytes" else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def load_table(config: Path | None, sets: Sequence[str] | None) -> StoreTable:
    """The settings of the store, from ``config`` or the installed file, the environment and ``sets``.

    Root goes on as the owner of the devices' folders.
    """
    configure_logging()
    loaded = settings.load(
        StoreSettings,
        config,
        environment=os.environ,
        prefix=PREFIX,
        sets=sets or (),
        only_known_tables=True,
        installed=INSTALLED,
    )
    become_owner(*folders_of(loaded.store))
    return loaded.store


def folders_of(table: StoreTable) -> list[Path]:
    """The devices, in the order of the settings."""
    return [Path(device) for device in table.devices]


@contextmanager
def opened_store(table: StoreTable) -> Iterator[Store]:
    """The store for writing; devices that are left out are named on standard error."""
    store = Store.open(folders_of(table), device_bytes_max=table.device_bytes_max, reserve_ratio=table.reserve_ratio)
    try:
        print_faults(failed_of(table, store))
        yield store
    finally:
        store.close()


@contextmanager
def opened_reader(table: StoreTable) -> Iterator[StoreReader]:
    """The store for reading, without the devices that are out."""
    reader = open_in_use(folders_of(table))
    try:
        yield reader
    finally:
        reader.close()


def survey_of(table: StoreTable, reader: StoreReader) -> Survey:
    """What it holds."""
    return survey(reader, device_bytes_max=table.device_bytes_max, reserve_ratio=table.reserve_ratio)


def failed_of(table: StoreTable, store: Store | StoreReader | Survey) -> list[Fault]:
    """The devices that are left out, and why."""
    return [
        Fault(table.devices[number], "", str(error).removeprefix(f"{table.devices[number]}: "))
        for number, error in store.failed.items()
    ]


def print_rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they need to be."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    for row in (heads, *rows):
        print_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_faults(faults: Sequence[Fault]) -> None:
    """A line each, on standard error."""
    for fault in faults:
        print_error(": ".join(part for part in (fault.where, fault.asset, fault.what) if part))
