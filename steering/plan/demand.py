"""Viewers' demand in the state, per site, hour and asset: batches folded in exactly once, imports put in place.

Hours that are over go into the history's files; imported days stay, apart, so that an import can be repeated. What is
expected of all that is the forecast's business.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

from oca.common.errors import ConfigError
from oca.common.messages import DemandBatch
from steering.plan.counted import NOTHING, Counted
from steering.state.store import StateReader, StateStore, StateTransaction

HOUR_NS = 3600 * 10**9
Kind = Literal["demand", "imported"]
FoldOutcome = Literal["folded", "repeated", "future", "backwards"]
_FUTURE_NS_MAX = HOUR_NS
ITEM_MAX = 2**50
"""Of one asset or object in one batch."""
_EPOCHS_REMEMBERED = 64
_ROWS_MAX = 5_000_000
_ERRORS_SHOWN = 10
_COLUMNS = ["site", "asset", "day", "requests", "bytes"]
_HOUR_LETTERS, _DAY_LETTERS = len("2026-11-30T21"), len("2026-11-30")
_decode_seen = msgspec.msgpack.Decoder(dict[str, int]).decode
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a batch tells of objects that its box does not hold, by the assets that have them.

    ``unknown``: of how many objects no published asset has them. ``absurd``: of how many the numbers cannot be, or
    come to more than the box could have sent; of the latter a part is in ``assets``.
    """

    assets: Mapping[str, Counted]
    unknown: int = 0
    absurd: int = 0


NO_WANTED = Wanted({})
_decode_counted = msgspec.msgpack.Decoder(Counted).decode


@dataclass(frozen=True, slots=True)
class Folded:
    """What became of a batch. Every outcome is final, so every batch is acknowledged; only ``folded`` counts."""

    outcome: FoldOutcome
    unknown_assets: int = 0
    absurd_items: int = 0
    unknown_objects: int = 0
    missing_batches: int = 0
    """Numbers passed over since the last one of its epoch: what they told of is lost."""


def fold(
    transaction: StateTransaction,
    appliance: str,
    site: str,
    batch: DemandBatch,
    *,
    now_ns: int,
    known: Collection[str],
    wanted: Wanted = NO_WANTED,
) -> Folded:
    """Add a batch to its site's hour, unless (appliance, epoch, sequence) was seen; in the caller's transaction.

    ``wanted`` is what the module of that name made of the batch.
    """
    if is_repeated(transaction, appliance, batch):
        return Folded("repeated")
    seen = _seen(transaction, appliance)
    missing = max(0, batch.sequence - seen.get(batch.epoch, 0) - 1)
    seen[batch.epoch] = batch.sequence
    while len(seen) > _EPOCHS_REMEMBERED:
        del seen[next(iter(seen))]
    transaction.put(f"seen/{appliance}", _encode(seen))
    if batch.ended_at_ns < batch.started_at_ns:
        return Folded("backwards", missing_batches=missing)
    if batch.ended_at_ns > now_ns + _FUTURE_NS_MAX:
        return Folded("future", missing_batches=missing)
    hour = datetime.fromtimestamp(batch.ended_at_ns // 10**9, tz=UTC).isoformat()[:_HOUR_LETTERS]
    unknown = absurd = 0
    for item in batch.items:
        if item.asset not in known:
            unknown += 1
        elif max(item.bytes, item.requests, item.sessions) > ITEM_MAX:
            absurd += 1
        else:
            counted = Counted(item.requests, item.bytes, item.sessions)
            _add(transaction, f"demand/{site}/{hour}/{item.asset}", counted)
    for asset, counted in wanted.assets.items():
        _add(transaction, f"demand/{site}/{hour}/{asset}", counted)
    return Folded("folded", unknown, absurd + wanted.absurd, wanted.unknown, missing)


def is_repeated(state: StateReader, appliance: str, batch: DemandBatch) -> bool:
    """Whether the batch, or a later one of its epoch, was taken in before."""
    return batch.sequence <= _seen(state, appliance).get(batch.epoch, -1)


def _seen(state: StateReader, appliance: str) -> dict[str, int]:
    """The last sequence by epoch."""
    found = state.get(f"seen/{appliance}")
    return _decode_seen(found) if found is not None else {}


def _add(transaction: StateTransaction, key: str, counted: Counted) -> None:
    found = transaction.get(key)
    transaction.put(key, _encode(_decode_counted(found).plus(counted) if found is not None else counted))


@dataclass(frozen=True, slots=True)
class Hour:
    """What a site watched of an asset in an hour, which counts from 1970, UTC; imports put a day into its first."""

    key: str
    site: str
    asset: str
    hour: int
    counted: Counted

    @property
    def day(self) -> int:
        """Counted from 1970, UTC."""
        return self.hour // 24

    def take_from(self, transaction: StateTransaction) -> None:
        """Leave in the state only what came since this was read."""
        found = transaction.get(self.key)
        counted = _decode_counted(found) if found is not None else NOTHING
        if counted == self.counted:
            transaction.delete(self.key)
        else:
            transaction.put(self.key, _encode(counted.minus(self.counted)))


def hours_of(state: StateReader, kind: Kind) -> Iterator[Hour]:
    """All that is in the state, by site, hour and asset."""
    for key, value in state.scan(f"{kind}/"):
        _, site, text, asset = key.split("/", 3)
        yield Hour(key, site, asset, _hour(text), _decode_counted(value))


@lru_cache(maxsize=4096)
def _hour(text: str) -> int:
    """The number of an hour like ``2026-11-30T21``, or of a day's first."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 3600


def drop_before(transaction: StateTransaction, day: date) -> int:
    """Forget demand older than ``day``; how many entries went.

    Looks at what goes and one entry a site, not at all that stays: the writer that appliances wait for must be brief.
    """
    old: list[str] = []
    for kind in ("demand", "imported"):
        start = ""
        while found := next(transaction.scan(f"{kind}/", start=start), None):
            site = found[0].split("/", 2)[1]
            for key, _ in transaction.scan(f"{kind}/{site}/"):
                if date.fromisoformat(key.split("/", 3)[2][:_DAY_LETTERS]) >= day:
                    break
                old.append(key)
            start = f"{kind}/{site}0"  # the first key behind this site's: "0" follows "/"
    for key in old:
        transaction.delete(key)
    return len(old)


def import_demand(
    path: Path, state: StateStore, *, sites: Collection[str], known: Collection[str], today: date
) -> tuple[int, int]:
    """Take in past demand from a CSV file ``site,asset,day,requests,bytes``, as another CDN's logs sum up to.

    Each row sets its (site, asset, day), so that the same file can be imported again. All rows or none.

    Returns:
        Rows taken and their bytes.

    Raises:
        ConfigError: Naming the first wrong lines; nothing was changed.
    """
    rows: dict[str, tuple[int, int]] = {}
    faults: list[str] = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for line, row in _rows(path, csv.reader(file, strict=True)):
                fault = _take(row, rows, sites=sites, known=known, today=today)
                if fault:
                    faults.append(f"line {line}: {fault}")
                if len(faults) >= _ERRORS_SHOWN:
                    break
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror or error}", remedy="name a file that the state's owner may read"
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read: {error}", remedy="give a UTF-8 CSV file") from None
    if faults:
        raise ConfigError(f"{path}: {'; '.join(faults)}", remedy="correct these lines; nothing was imported")
    with state.write() as transaction:
        for key, totals in rows.items():
            transaction.put(key, _encode(totals))
    return len(rows), sum(count for _, count in rows.values())


def _rows(path: Path, reader: Iterator[Sequence[str]]) -> Iterator[tuple[int, Sequence[str]]]:
    header = next(reader, None)
    if header is None or [cell.strip() for cell in header] != _COLUMNS:
        raise ConfigError(f"{path}: line 1 is not {','.join(_COLUMNS)}", remedy="start the file with that line")
    for line, row in enumerate(reader, start=2):
        if line > _ROWS_MAX:
            raise ConfigError(f"{path}: more than {_ROWS_MAX} lines", remedy="import it in parts, by day")
        if row:
            yield line, row


def _take(
    row: Sequence[str],
    rows: dict[str, tuple[int, int]],
    *,
    sites: Collection[str],
    known: Collection[str],
    today: date,
) -> str:
    """Put one row into ``rows``; why not, if it cannot be."""
    if len(row) != len(_COLUMNS):
        return f"{len(row)} columns, wanted {len(_COLUMNS)}"
    site, asset, day_text, *numbers = (cell.strip() for cell in row)
    if site not in sites:
        return f"unknown site {site!r}"
    if asset not in known:
        return f"unknown asset {asset!r}"
    try:
        day = date.fromisoformat(day_text)
    except ValueError:
        return f"day {day_text!r} is not of the form 2026-11-30"
    if day > today:
        return f"day {day_text} lies ahead"
    counts = []
    for name, text in zip(_COLUMNS[3:], numbers, strict=True):
        if not (text.isascii() and text.isdigit()) or len(text) > 16 or int(text) > ITEM_MAX:
            return f"{name} {text!r} is not a whole number from 0 to {ITEM_MAX}"
        counts.append(int(text))
    key = f"imported/{site}/{day.isoformat()}/{asset}"
    if key in rows:
        return f"{site}, {asset}, {day_text} comes twice"
    rows[key] = (counts[0], counts[1])
    return ""
