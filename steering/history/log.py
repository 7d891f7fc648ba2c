"""The hourly log on disk: which files are of it, how hours get there from the state, once each, and how they go.

The state names the files; a file that it does not name is no part of the log. A flush writes files, then names them and
takes what they hold out of the state, in one transaction: whoever is killed before has only left files that nobody
names. Of two that flush at once the later one finds that the number of flushes has moved, and leaves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import astuple

from oca.common.errors import SteeringError
from oca.common.new_key import new_salt
from steering.history import columns, files, queries
from steering.history.engine import Columns, DuckDb
from steering.plan.demand import HOUR_NS, Hour, hours_of
from steering.state.store import StateReader, StateStore, StateTransaction

ROWS_PER_FLUSH_MAX = 200_000
CLOSED_AFTER_NS = 10 * 60 * 10**9
"""After its end an hour waits so long for batches that are on their way. Later ones go with a later flush."""
UNLISTED_S = 3600.0
"""A file that the state does not name may be one that is being written now, for so long."""
_FLUSHES_KEY = "about/history-flushes"
DAY_NS = 24 * HOUR_NS
_UNIX_DAY = date(1970, 1, 1).toordinal()


class Part(Struct, frozen=True):
    """One file: rows, bytes on disk, xxh3-128 of these."""

    rows: int
    bytes: int
    digest: str


class Aside(Struct, frozen=True):
    """A file that was set aside, and why."""

    why: str


_decode_part = msgspec.msgpack.Decoder(Part).decode
_decode_aside = msgspec.msgpack.Decoder(Aside).decode
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as the state names it; ``day`` counts from 1970, UTC."""

    day: int
    name: str
    part: Part

    @property
    def key(self) -> str:
        """In the state."""
        return f"history/{day_text(self.day)}/{self.name}"

    def path(self, folder: Path) -> Path:
        """On disk."""
        return folder / f"day={day_text(self.day)}" / self.name


class _Dated(Protocol):
    @property
    def day(self) -> int: ...


_OfDay = TypeVar("_OfDay", bound=_Dated)


def by_day(several: Iterable[_OfDay]) -> dict[int, list[_OfDay]]:
    """Files or hours by their day, in the order in which they come."""
    found: dict[int, list[_OfDay]] = {}
    for each in several:
        found.setdefault(each.day, []).append(each)
    return found


def day_text(day: int) -> str:
    """A day as in ``2026-11-30``."""
    return date.fromordinal(day + _UNIX_DAY).isoformat()


def listed(state: StateReader, *, first: int = 0) -> list[Listed]:
    """The files of the log, of the day ``first`` and later."""
    found = []
    for key, value in state.scan("history/", start=f"history/{day_text(first)}"):
        _, day, name = key.split("/")
        found.append(Listed(date.fromisoformat(day).toordinal() - _UNIX_DAY, name, _decode_part(value)))
    return found


def aside(state: StateReader, *, first: int = 0) -> list[str]:
    """What was set aside of that day and later, and why, a line each."""
    found = state.scan("history-aside/", start=f"history-aside/{day_text(first)}")
    return [_decode_aside(value).why for _, value in found]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a file cannot be used: it is damaged, or it cannot be read now and may be whole."""

    of: Listed
    why: str
    is_damaged: bool


def fault(each: Listed, folder: Path) -> Fault | None:
    """What is wrong with a file; None: it is as it was written."""
    path = each.path(folder)
    try:
        size = path.stat().st_size
        if size != each.part.bytes:
            return Fault(each, f"{path} has {size} bytes, wanted {each.part.bytes}", is_damaged=True)
        if files.digest(path) != each.part.digest:
            return Fault(each, f"{path} is not as it was written: its digest is another", is_damaged=True)
    except OSError as error:
        return Fault(each, f"{path} cannot be read: {(error.strerror or str(error)).lower()}", is_damaged=False)
    return None


def refuse_absent(state: StateReader, folder: Path) -> None:
    """See that the folder is the one with the files, before anything is written to it or made in its place.

    Raises:
        SteeringError: The state names files, and the folder has no day at all.
    """
    if (count := len(listed(state))) and not files.has_days(folder):
        raise SteeringError(
            f"{folder} has no day of the history, and the state names {count} files there",
            remedy="mount its disk, or bring the files back; if they are lost, make a folder 'day=lost' in it",
        )


def set_aside(state: StateStore, folder: Path, *, first: int) -> list[Fault]:
    """Prove the files of that day and later, and take those that are damaged out of the log.

    Returns:
        What is wrong. A file that cannot be read stays in the log: its disk may only be away.
    """
    faults = [found for each in listed(state, first=first) if (found := fault(each, folder))]
    for each in (found for found in faults if found.is_damaged):
        with state.write() as transaction:
            transaction.delete(each.of.key)
            transaction.put(each.of.key.replace("history/", "history-aside/", 1), _encode(Aside(each.why)))
        files.set_aside(each.of.path(folder))
    return faults


def flush(
    state: StateStore, folder: Path, local: DuckDb, *, now_ns: int, rows_max: int = ROWS_PER_FLUSH_MAX
) -> int | None:
    """Put hours that are over from the state into files, at most so many rows; how many, None if another came first."""
    with state.reading() as snapshot:
        flushes = int(snapshot.get(_FLUSHES_KEY) or b"0")
        over = (hour for hour in hours_of(snapshot, "demand") if _is_over(hour, now_ns))
        taken = list(islice(over, rows_max))
    if not taken:
        return 0
    name = f"{flushes:010d}-{_token()}.parquet"
    made = [_write(folder, local, day, name, columns_of(hours)) for day, hours in sorted(by_day(taken).items())]
    with state.write() as transaction:
        if int(transaction.get(_FLUSHES_KEY) or b"0") != flushes:
            return None
        transaction.put(_FLUSHES_KEY, str(flushes + 1).encode())
        for each in made:
            transaction.put(each.key, _encode(each.part))
        for hour in taken:
            hour.take_from(transaction)
    return len(taken)


def compact(state: StateStore, folder: Path, local: DuckDb, *, now_ns: int) -> int:
    """Make one file, one row a site, asset and hour, of those of each day that is over; how many days."""
    today = now_ns // DAY_NS
    compacted = 0
    for day, parts in by_day(listed(state)).items():
        if day >= today or len(parts) < 2 or any(fault(each, folder) for each in parts):
            continue
        last = max(each.name for each in parts).partition(".")[0].partition("-")[0]
        name = f"{last}-{len(parts)}-{_token()}.parquet"
        path = folder / f"day={day_text(day)}" / name
        local.write(path, queries.hourly(), [each.path(folder) for each in parts], {})
        made = _prove(day, path, local)
        with state.write() as transaction:
            if all(transaction.get(each.key) is not None for each in parts):
                for each in parts:
                    transaction.delete(each.key)
                transaction.put(made.key, _encode(made.part))
                compacted += 1
        for each in parts:
            files.touch(each.path(folder))  # who reads them now has time to end
    return compacted


def drop_before(transaction: StateTransaction, day: int) -> int:
    """Have files of earlier days be of the log no more; how many."""
    old = [
        key
        for kind in ("history", "history-aside")
        for key, _ in transaction.scan(f"{kind}/")
        if key.split("/")[1] < day_text(day)
    ]
    for key in old:
        transaction.delete(key)
    return len(old)


def columns_of_day(day: int, parts: Iterable[Listed]) -> Path:
    """Where in the folder a day's columns are that were made of these files."""
    return Path(f"day={day_text(day)}") / columns.name_of(each.part.digest for each in parts)


def sweep(state: StateReader, folder: Path, *, now_ns: int, columns_since: int = 0) -> int:
    """Remove files that are of the log no more, or never were, and columns of days before that one; how many."""
    parts = listed(state)
    kept = {each.path(folder) for each in parts}
    for known, of_day in by_day(parts).items():
        if known >= columns_since:
            kept.add(folder / columns_of_day(known, of_day))
    for key, _ in state.scan("history-aside/"):
        _, day, name = key.split("/")
        kept |= {folder / f"day={day}" / name, folder / f"day={day}" / (name + files.ASIDE)}  # renamed or not yet
    return files.remove_unlisted(folder, kept, before_s=now_ns / 1e9 - UNLISTED_S)


def columns_of(hours: Sequence[Hour]) -> Columns:
    """Rows of the log."""
    sums = np.array([astuple(hour.counted) for hour in hours], np.int64)
    return {
        "site": np.array([hour.site for hour in hours], object),
        "asset": np.array([hour.asset for hour in hours], object),
        "hour": np.array([hour.hour for hour in hours], np.int32),
        **{name: sums[:, place] for place, name in enumerate(queries.SUMS)},
    }


def _token() -> str:
    """Of a file's name, so that nobody writes what another names, be it a thread of this process or another machine."""
    return new_salt(6).hex()


def _is_over(hour: Hour, now_ns: int) -> bool:
    return (hour.hour + 1) * HOUR_NS + CLOSED_AFTER_NS <= now_ns


def _write(folder: Path, local: DuckDb, day: int, name: str, columns: Columns) -> Listed:
    path = folder / f"day={day_text(day)}" / name
    files.make_folder(path.parent)
    local.write(path, queries.rows(), (), {"log": columns})
    return _prove(day, path, local)


def _prove(day: int, path: Path, local: DuckDb) -> Listed:
    """Make a new file durable, and note what it is."""
    files.sync(path)
    rows = len(local.rows([path], "hour")["hour"])
    with files.explained(path, "read"):
        return Listed(day, path.name, Part(rows, path.stat().st_size, files.digest(path)))
