"""A history of demand for its tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from oca.common.messages import AssetDemand
from steering.history.engine import Columns, DuckDb
from steering.history.log import listed
from steering.history.queries import Query, by_day
from steering.history.settings import HistoryTable
from steering.plan.counted import Counted
from steering.plan.demand import NO_WANTED, Wanted, fold
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
        items = make_batch(0, epoch="boot", at_ns=NOW_NS, **counts).items
        self._tell(hours_ago, site, items, NO_WANTED)

    def redirected(self, hours_ago: float, asset: str, count: int, site: str = "metro") -> None:
        """By a box that does not hold it, which would have sent ``count`` bytes."""
        self._tell(hours_ago, site, (), Wanted({asset: Counted(redirected=1, redirected_bytes=count)}))

    def _tell(self, hours_ago: float, site: str, items: Sequence[AssetDemand], wanted: Wanted) -> None:
        plain = make_batch(self._sequence, at_ns=NOW_NS - int(hours_ago * HOUR_NS))
        batch = replace(plain, items=list(items))
        self._sequence += 1
        known = {asset.asset for asset in batch.items}
        with self._state.write() as transaction:
            fold(transaction, "box", site, batch, now_ns=NOW_NS, known=known, wanted=wanted)


class Preceded(DuckDb):
    """Whose writes are preceded by something else, one each."""

    def __init__(self, folder: Path, before: list[Callable[[], None]]) -> None:
        super().__init__(folder / "scratch", memory_bytes_max=2**28)
        self._before = before

    def write(self, path: Path, query: Query, log: Sequence[Path], small: Mapping[str, Columns]) -> None:
        if self._before:
            self._before.pop()()
        super().write(path, query, log, small)


def local(folder: Path) -> DuckDb:
    return DuckDb(folder / "scratch", memory_bytes_max=2**28)


def bytes_by_day(state: EmbeddedState, folder: Path) -> dict[int, int]:
    """Of the files: day, from today back, → bytes."""
    found = local(folder).run(by_day(), [each.path(folder) for each in listed(state)], {})
    return {TODAY - int(day): int(count) for day, count in zip(found["day"], found["bytes"], strict=True)}


def settings_of(folder: Path, **changes: object) -> SteeringSettings:
    return replace(make_settings(), history=HistoryTable(path=str(folder), **changes))  # type: ignore[arg-type]
