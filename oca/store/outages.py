"""Keeps what is known of devices that are out, on every device that takes it, so that it outlives restarts.

A device that fails cannot be relied on to say so itself: each device has the records of all, and the latest of a
device holds. Daemon, fill agent and commands read and write them; nobody needs another to be running.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from oca.common.clock import now_ns
from oca.common.digest import digest_hex
from oca.common.errands import Errands, Outstanding
from oca.common.errors import StoreError
from oca.common.log import get_logger
from oca.store import files
from oca.store.outage import Outage, decode, encode, newest, take_out

FOLDER = "outages"
ANSWER_S = 5.0
"""How long a device may take to be asked for its records, before it counts as one that hangs."""
_RECORD_BYTES_MAX = 64 * 1024
_RECORDS_MAX = 1024
_SUFFIX = ".json"
_log = get_logger("outages")


def read_records(folders: Sequence[Path], *, timeout_s: float = ANSWER_S) -> dict[str, Outage]:
    """What is known of each device that was ever out, by its folder as in the settings.

    A device that does not answer is told as one that is out, since now.
    """
    known, silent = ask_for_records(folders, timeout_s=timeout_s, patient=True)
    for folder in silent:
        if not (folder in known and known[folder].out):
            said = f"has not answered for {timeout_s:.0f} s"
            known[folder] = take_out(known.get(folder), folder, "hang", said, now_ns=now_ns())
    return known


def ask_for_records(
    folders: Sequence[Path], *, timeout_s: float, patient: bool = False
) -> tuple[dict[str, Outage], list[str]]:
    """What those that answer in time have written down of each device, by its folder, and those that do not answer."""
    errands: Errands[str, list[Outage]] = Errands(name="outages")
    work = {str(folder): partial(_records_on, folder) for folder in folders}
    told = errands.ask(work, timeout_s=timeout_s, patient=patient)
    known = newest(record for records in told.values() if isinstance(records, list) for record in records)
    return known, [folder for folder, answer in told.items() if isinstance(answer, Outstanding)]


def outages(folders: Sequence[Path], *, timeout_s: float = ANSWER_S) -> dict[int, Outage]:
    """The devices that are out, by number."""
    known = read_records(folders, timeout_s=timeout_s)
    found = ((number, known.get(str(folder))) for number, folder in enumerate(folders))
    return {number: outage for number, outage in found if outage is not None and outage.out}


def keep(folders: Iterable[Path], outage: Outage, *, timeout_s: float = ANSWER_S) -> int:
    """Write a record on each of these devices that takes it; returns on how many."""
    errands: Errands[str, None] = Errands(name="outages")
    writes: dict[str, Callable[[], None]] = {str(folder): partial(_keep_on, folder, outage) for folder in folders}
    told = errands.ask(writes, timeout_s=timeout_s)
    for folder, answer in told.items():
        if isinstance(answer, StoreError) and folder != outage.device:
            _log.warning("a device does not take a record", device=folder, error=answer.message, of=outage.device)
    return sum(answer is None for answer in told.values())


def mark(folder: Path) -> int:
    """Moves when a record on that device changes."""
    return files.modified_at_ns(folder / FOLDER)


def _records_on(folder: Path) -> list[Outage]:
    found: list[Outage] = []
    if not files.modified_at_ns(folder / FOLDER):
        return found
    for name in files.names(folder / FOLDER)[:_RECORDS_MAX]:
        path = folder / FOLDER / name
        descriptor = files.open_read(path) if name.endswith(_SUFFIX) else None
        if descriptor is None:
            continue
        try:
            found.append(decode(files.read_at(descriptor, path, _RECORD_BYTES_MAX, 0)))
        except (StoreError, msgspec.DecodeError) as error:
            _log.warning("a record of a device that is out cannot be read", file=str(path), error=str(error))
        finally:
            files.close(descriptor)
    return found


def _keep_on(folder: Path, outage: Outage) -> None:
    files.require_folder(folder)
    files.make_folder(folder / FOLDER)
    files.write_whole(folder / FOLDER / f"{digest_hex(outage.device.encode())}{_SUFFIX}", encode(outage))
