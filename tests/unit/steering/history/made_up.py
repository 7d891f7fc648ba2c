"""A history of demand for its tests."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from steering.demand import fold
from steering.history.engine import DuckDb
from steering.history.log import listed
from steering.history.queries import by_day
from steering.history.settings import HistoryTable
from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from tests.unit.steering.made_up import NOW_NS, make_batch, make_settings

HOUR_NS = 3600 * 10**9
TODAY = NOW_NS // (24 * HOUR_NS)


class Told:
    """Appliances that tell of demand; batches count up by themselves."""

    def __init__(self, state: EmbeddedState) -> None:
        self._state = state
        self._sequence = 0

    def demand(self, hours_ago: float, site: str = "metro", **counts: tuple[int, int]) -> None:
        plain = make_batch(self._sequence, at_ns=NOW_NS - int(hours_ago * HOUR_NS))
        items = make_batch(0, epoch="boot", at_ns=NOW_NS, **counts).items
        batch = replace(plain, items=items)
        self._sequence += 1
        known = {asset.asset for asset in batch.items}
        with self._state.write() as transaction:
            fold(transaction, "box", site, batch, now_ns=NOW_NS, known=known)


def local(folder: Path) -> DuckDb:
    return DuckDb(folder / "scratch", memory_bytes_max=2**28)


def bytes_by_day(state: EmbeddedState, folder: Path) -> dict[int, int]:
    """Of the files: day, from today back, → bytes."""
    found = local(folder).run(by_day(), [each.path(folder) for each in listed(state)], {})
    return {TODAY - int(day): int(count) for day, count in zip(found["day"], found["bytes"], strict=True)}


def settings_of(folder: Path, **changes: object) -> SteeringSettings:
    return replace(make_settings(), history=HistoryTable(path=str(folder), **changes))  # type: ignore[arg-type]
