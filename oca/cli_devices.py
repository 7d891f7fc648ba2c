"""``oca store devices | take-out | bring-back``: which devices are used, and why one is not."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal

import typer
from msgspec import Struct

from oca.common.box import StoreTable
from oca.common.clock import now_ns, utc_of
from oca.common.command import ConfigOption, JsonOption, SetOption, print_json, print_line
from oca.common.errors import ConfigError, StoreError
from oca.common.units import format_bytes
from oca.store.outage import SAID_CHARACTERS_MAX, DeviceError, Outage, bring_back, remedy_of, sentence, take_out
from oca.store.outages import keep, read_records
from oca.store.reader import StoreReader
from oca.store.trial import trial
from oca.store.use import survey
from oca.store_command import folders_of, load_table, print_rows

DeviceArgument = Annotated[str, typer.Argument(help="The folder of the device, as in store.devices.")]


class DeviceState(Struct, frozen=True):
    """What ``devices --json`` prints of each; times are ns since 1970, ``since_ns`` 0 for a device never taken out."""

    device: str
    state: Literal["good", "fails", "out"]
    why: str
    assets: int
    used_bytes: int
    since_ns: int
    times_out: int
    errors: list[DeviceError]


def devices(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """List the devices: good, failing, or out and why, since when, and with which errors."""
    table = load_table(config, sets)
    states = _states(table)
    if json:
        print_json(states)
        return
    rows = [(each.device, each.state, str(each.assets), format_bytes(each.used_bytes)) for each in states]
    print_rows(("DEVICE", "STATE", "ASSETS", "USED"), rows)
    for each in states:
        if each.why:
            print_line(f"{each.device}: {each.why}")
        for error in each.errors if each.state == "out" else ():
            print_line(f"  {utc_of(error.at_ns):%Y-%m-%d %H:%M:%SZ}  {error.said}")


def take_out_(
    device: DeviceArgument,
    why: Annotated[str, typer.Option("--why", help="What the next operator should know.")] = "to be replaced",
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Use a device no more: its assets count as lost, steering sends for them elsewhere, the next fill brings them."""
    table = load_table(config, sets)
    known = _known(table, device)
    if known is not None and known.out:
        raise StoreError(f"{device}: is out already, {sentence(known)}", remedy=remedy_of(known))
    if not why.strip() or len(why) > SAID_CHARACTERS_MAX:
        raise StoreError(f"--why has {len(why)} characters", remedy=f"write 1 to {SAID_CHARACTERS_MAX}")
    _change(table, take_out(known, device, "operator", why, now_ns=now_ns()), json=json)


def bring_back_(
    device: DeviceArgument, config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False
) -> None:
    """Use a device again that was taken out, if it can be read and written now."""
    table = load_table(config, sets)
    known = _known(table, device)
    if known is None or not known.out:
        raise StoreError(f"{device}: is not out", remedy="see 'oca store devices'")
    reason = trial(table.devices.index(device), folders_of(table)[table.devices.index(device)])
    if reason:
        raise StoreError(
            f"{device}: stays out: {reason}",
            remedy="mend or replace it and mount it again; where its index is damaged, 'oca store rebuild'",
        )
    _change(table, bring_back(known, "an operator brought it back", now_ns=now_ns()), json=json)


def add_commands(app: typer.Typer) -> None:
    """Put the commands on ``oca store``."""
    app.command("devices")(devices)
    app.command("take-out")(take_out_)
    app.command("bring-back")(bring_back_)


def _change(table: StoreTable, outage: Outage, *, json: bool) -> None:
    if not keep(folders_of(table), outage):
        raise StoreError("no device takes the record", remedy="see 'oca store devices' and the kernel log")
    if json:
        print_json(outage)
    elif outage.out:
        print_line(f"{outage.device}: taken out; a running appliance asks it for nothing from the next second on")
    else:
        print_line(f"{outage.device}: used again; a running appliance takes it up within seconds")


def _known(table: StoreTable, device: str) -> Outage | None:
    if device not in table.devices:
        near = difflib.get_close_matches(device, table.devices, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"name one of {', '.join(table.devices)}"
        raise ConfigError(f"{device}: is not in [store] devices", remedy=remedy)
    return read_records(folders_of(table)).get(device)


def _states(table: StoreTable) -> list[DeviceState]:
    folders = folders_of(table)
    known = read_records(folders)
    out = {number: False for number, name in enumerate(table.devices) if name in known and known[name].out}
    try:
        reader = StoreReader.open(folders, out=out)
    except StoreError:
        if len(out) < len(folders):
            raise
        return [_state(name, known.get(name), "", 0, 0) for name in table.devices]
    try:
        found = survey(reader, device_bytes_max=table.device_bytes_max, reserve_ratio=table.reserve_ratio)
    finally:
        reader.close()
    states = []
    for number, name in enumerate(table.devices):
        held = [pack.bytes for pack in found.held if pack.device == number]
        failed = found.failed.get(number)
        why = str(failed).removeprefix(f"{name}: ") if failed is not None else ""
        states.append(_state(name, known.get(name), why, len(held), sum(held)))
    return states


def _state(name: str, known: Outage | None, failed: str, assets: int, used_bytes: int) -> DeviceState:
    why, state = failed, "fails" if failed else "good"
    if known is not None and known.out:
        why, state = f"{sentence(known)}; {remedy_of(known)}", "out"
    return DeviceState(
        device=name,
        state=state,  # type: ignore[arg-type]
        why=why,
        assets=assets,
        used_bytes=used_bytes,
        since_ns=known.at_ns if known is not None else 0,
        times_out=known.times if known is not None else 0,
        errors=list(known.errors) if known is not None else [],
    )
