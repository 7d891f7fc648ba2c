"""``oca store``: what an operator does to the store by hand. What the commands do lives in ``oca.store``."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

import typer
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from oca.common import settings
from oca.common.box import StoreTable
from oca.common.clock import utc_of
from oca.common.command import ConfigOption, JsonOption, SetOption, print_error, print_json, print_line
from oca.common.errors import StoreError
from oca.common.log import configure_logging
from oca.common.messages import StoreUse
from oca.common.units import format_bytes
from oca.store.importing import describe_folder, import_folder
from oca.store.reader import StoreReader
from oca.store.rebuild import rebuild
from oca.store.records import HeldPack
from oca.store.store import Store
from oca.store.use import Survey, survey
from oca.store.verify import Fault, verify

store_app = typer.Typer(help="List, verify, load and mend what this box holds.", no_args_is_help=True)


class StoreSettings(settings.Table, frozen=True):
    """The one table of ``appliance.toml`` that these commands need."""

    store: StoreTable = StoreTable()


class Listing(Struct, frozen=True):
    """What ``ls --json`` prints."""

    use: StoreUse
    assets: list[HeldPack]
    failed: list[Fault]


class Removed(Struct, frozen=True):
    """What ``remove --json`` prints of each asset."""

    asset: str
    bytes: int


@store_app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="Folder with the asset's files.")],
    *,
    asset: Annotated[str, typer.Option("--asset", help="Name of the asset, title/rendition.")],
    mount: Annotated[str, typer.Option("--mount", help="URL path that the files go under, such as /harbour.")],
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Take a folder of files in as one asset, served at MOUNT/<relative path>; replaces an older revision."""
    table = _table(config, sets)
    manifest, found = describe_folder(source, asset=asset, mount=mount)
    with _store(table) as store, _Meter("importing", manifest.bytes) as meter:
        held = import_folder(store, manifest, found, on_bytes=meter.advance)
    if json:
        print_json(held)
    else:
        print_line(f"{held.asset}: {held.objects} objects, {format_bytes(held.bytes)}, revision {held.revision}")


@store_app.command("ls")
def list_(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """List the assets that are held whole, and how full the store is."""
    table = _table(config, sets)
    with _reader(table) as reader:
        found = _survey(table, reader).require_device()
        listing = Listing(use=found.use, assets=found.held, failed=_failed(table, found))
    if json:
        print_json(listing)
        return
    rows = [
        (
            held.asset,
            held.revision[:12],
            format_bytes(held.bytes),
            str(held.objects),
            table.devices[held.device],
            f"{utc_of(held.committed_at_ns):%Y-%m-%d %H:%M:%SZ}",
        )
        for held in listing.assets
    ]
    _print_rows(("ASSET", "REVISION", "SIZE", "OBJECTS", "DEVICE", "COMMITTED"), rows)
    use = listing.use
    print_line(
        f"{use.assets} assets, {use.objects} objects, {format_bytes(use.used_bytes)} of "
        f"{format_bytes(use.capacity_bytes)}"
    )
    _print_faults(listing.failed)


@store_app.command("verify")
def verify_(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Prove every digest; what is wrong is named, and the exit code is then 1. Runs beside a serving box."""
    table = _table(config, sets)
    with _reader(table) as reader:
        with _Meter("verifying", _survey(table, reader).use.used_bytes) as meter:
            proof = verify(reader.devices(), on_bytes=meter.advance)
        faults = [*_failed(table, reader), *proof.faults]
    if json:
        print_json({"packs": proof.packs, "objects": proof.objects, "bytes": proof.bytes, "faults": faults})
    else:
        print_line(f"verified {proof.packs} packs, {proof.objects} objects, {format_bytes(proof.bytes)}")
        _print_faults(faults)
    if faults:
        broken = sorted({fault.asset for fault in faults if fault.asset})
        remedy = f"'oca store remove {' '.join(broken[:5])}' and fill again" if broken else "run 'oca store rebuild'"
        raise StoreError(f"the store has {len(faults)} faults", remedy=remedy)


@store_app.command("rebuild")
def rebuild_(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Make the index anew from the packs alone; a serving box goes on meanwhile."""
    rebuilt = [rebuild(number, folder) for number, folder in enumerate(_folders(_table(config, sets)))]
    if json:
        print_json(rebuilt)
        return
    for device in rebuilt:
        for line in device.removed:
            print_line(line)
        print_line(f"{device.device}: {device.assets} assets, {device.objects} objects")


@store_app.command("remove")
def remove(
    assets: Annotated[list[str], typer.Argument(help="Names of assets, as in 'oca store ls'.")],
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Remove assets; a send that runs goes on to its end."""
    with _store(_table(config, sets)) as store:
        known = [held.asset for held in store.assets()]
        for asset in assets:
            if asset not in known:
                near = difflib.get_close_matches(asset, known, n=1)
                hint = f"did you mean {near[0]}?" if near else "see 'oca store ls'"
                raise StoreError(f"{asset}: is not held, nothing was removed", remedy=hint)
        removed = [Removed(asset, store.evict(asset)) for asset in dict.fromkeys(assets)]
    if json:
        print_json(removed)
        return
    for item in removed:
        print_line(f"{item.asset}: removed, {format_bytes(item.bytes)} freed")


class _Meter:
    """How far a long read has come: a bar on a terminal, elsewhere a plain line at every tenth."""

    def __init__(self, action: str, total: int) -> None:
        self._action = action
        self._total = total
        self._done = 0
        self._tenths = 0
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True))
            self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
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
        self._done += count
        if self._bar is not None:
            self._bar.advance(self._task, count)
        elif self._done * 10 // max(1, self._total) > self._tenths:
            self._tenths = self._done * 10 // max(1, self._total)
            print_error(f"{self._action}: {self._tenths * 10} % of {format_bytes(self._total)}")


def _table(config: Path | None, sets: Sequence[str] | None) -> StoreTable:
    configure_logging()
    loaded = settings.load(
        StoreSettings, config, environment=os.environ, prefix="OCA", sets=sets or (), only_known_tables=True
    )
    return loaded.store


def _folders(table: StoreTable) -> list[Path]:
    return [Path(device) for device in table.devices]


@contextmanager
def _store(table: StoreTable) -> Iterator[Store]:
    store = Store.open(_folders(table), device_bytes_max=table.device_bytes_max, reserve_ratio=table.reserve_ratio)
    try:
        _print_faults(_failed(table, store))
        yield store
    finally:
        store.close()


@contextmanager
def _reader(table: StoreTable) -> Iterator[StoreReader]:
    reader = StoreReader.open(_folders(table))
    try:
        yield reader
    finally:
        reader.close()


def _survey(table: StoreTable, reader: StoreReader) -> Survey:
    return survey(reader, device_bytes_max=table.device_bytes_max, reserve_ratio=table.reserve_ratio)


def _failed(table: StoreTable, store: Store | StoreReader | Survey) -> list[Fault]:
    return [
        Fault(table.devices[number], "", str(error).removeprefix(f"{table.devices[number]}: "))
        for number, error in store.failed.items()
    ]


def _print_rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    for row in (heads, *rows):
        print_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_faults(faults: Sequence[Fault]) -> None:
    for fault in faults:
        print_error(": ".join(part for part in (fault.where, fault.asset, fault.what) if part))
