"""``oca store``: what an operator does to the store by hand. What the commands do lives in ``oca.store``."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from oca.cli_devices import add_commands
from oca.common.clock import utc_of
from oca.common.command import ConfigOption, JsonOption, SetOption, print_json, print_line
from oca.common.errors import StoreError
from oca.common.messages import StoreUse
from oca.common.units import format_bytes
from oca.store.importing import describe_folder, folder_bytes, import_folder
from oca.store.rebuild import Rebuilt, rebuild
from oca.store.records import Fault, HeldPack
from oca.store.verify import verify
from oca.store_command import (
    Meter,
    failed_of,
    folders_of,
    load_table,
    opened_reader,
    opened_store,
    print_faults,
    print_rows,
    survey_of,
)

store_app = typer.Typer(help="List, verify, load and mend what this box holds.", no_args_is_help=True)
add_commands(store_app)


class Listing(Struct, frozen=True):
    """What ``ls --json`` prints."""

    use: StoreUse
    assets: list[HeldPack]
    failed: list[Fault]


class Verified(Struct, frozen=True):
    """What ``verify --json`` prints; ``quarantined`` names the assets that were taken out of service."""

    packs: int
    objects: int
    bytes: int
    faults: list[Fault]
    quarantined: list[str]


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
    table = load_table(config, sets)
    with Meter("reading", folder_bytes(source)) as meter:
        manifest, found = describe_folder(source, asset=asset, mount=mount, on_bytes=meter.advance)
    with opened_store(table) as store, Meter("importing", manifest.bytes) as meter:
        held = import_folder(store, manifest, found, on_bytes=meter.advance)
    if json:
        print_json(held)
    else:
        print_line(f"{held.asset}: {held.objects} objects, {format_bytes(held.bytes)}, revision {held.revision}")


@store_app.command("ls")
def list_(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """List the assets that are held whole, and how full the store is."""
    table = load_table(config, sets)
    with opened_reader(table) as reader:
        found = survey_of(table, reader).require_device()
        listing = Listing(use=found.use, assets=found.held, failed=failed_of(table, found))
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
    print_rows(("ASSET", "REVISION", "SIZE", "OBJECTS", "DEVICE", "COMMITTED"), rows)
    use = listing.use
    print_line(
        f"{use.assets} assets, {use.objects} objects, {format_bytes(use.used_bytes)} of "
        f"{format_bytes(use.capacity_bytes)}"
    )
    print_faults(listing.failed)


@store_app.command("verify")
def verify_(
    config: ConfigOption = None,
    sets: SetOption = None,
    report_only: Annotated[
        bool, typer.Option("--report-only", help="Change nothing: leave what is wrong in service.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Prove every digest on the devices themselves; what is wrong is named, and the exit code is then 1.

    A bad pack is quarantined: out of service until the next fill mends it. Runs beside a serving box.
    """
    table = load_table(config, sets)
    with opened_reader(table) as reader:
        with Meter("verifying", survey_of(table, reader).use.used_bytes) as meter:
            proof = verify(reader.devices(), on_bytes=meter.advance, quarantine=not report_only)
        faults = [*failed_of(table, reader), *proof.faults]
    if json:
        print_json(Verified(proof.packs, proof.objects, proof.bytes, faults, proof.quarantined))
    else:
        print_line(f"verified {proof.packs} packs, {proof.objects} objects, {format_bytes(proof.bytes)}")
        print_faults(faults)
    if faults:
        raise StoreError(f"the store has {len(faults)} faults", remedy=_remedy(faults, proof.quarantined))


def _remedy(faults: list[Fault], quarantined: list[str]) -> str:
    """What an operator does next, by the gravest of what was found."""
    if any(fault.kind == "device" for fault in faults):
        return "see 'oca store devices' and the kernel log"
    if any(fault.kind == "index" for fault in faults):
        return "run 'oca store rebuild'"
    if quarantined:
        assets = " and ".join(quarantined) if len(quarantined) < 3 else f"{len(quarantined)} assets"
        return f"{assets} out of service; the next fill mends that, 'oca-fill run' at once"
    return "run it without --report-only to take the bad packs out of service"


@store_app.command("rebuild")
def rebuild_(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Make the index anew from the packs alone; a serving box goes on meanwhile."""
    rebuilt = [_rebuild(number, folder) for number, folder in enumerate(folders_of(load_table(config, sets)))]
    if json:
        print_json(rebuilt)
        return
    for device in rebuilt:
        for line in device.removed:
            print_line(line)
        print_line(f"{device.device}: {device.assets} assets, {device.objects} objects")


def _rebuild(number: int, folder: Path) -> Rebuilt:
    meter: Meter | None = None

    def on_pack(_done: int, total: int) -> None:
        nonlocal meter
        if meter is None:
            meter = Meter(f"rebuilding {folder}", total, unit="packs").__enter__()
        meter.advance(1)

    try:
        return rebuild(number, folder, on_pack=on_pack)
    finally:
        if meter is not None:
            meter.__exit__(None, None, None)


@store_app.command("remove")
def remove(
    assets: Annotated[list[str], typer.Argument(help="Names of assets, as in 'oca store ls'.")],
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Remove assets; a send that runs goes on to its end."""
    with opened_store(load_table(config, sets)) as store:
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
