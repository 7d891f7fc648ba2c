"""What the history holds of each day, for who looks at it."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from steering.history import files, log, queries
from steering.history.engine import open_engine
from steering.history.settings import history_folder
from steering.settings import SteeringSettings
from steering.state.store import StateStore


class Day(Struct, frozen=True):
    """One day, UTC. ``stored_bytes`` is what its files take; ``bytes`` what was served by boxes that held it.

    ``sessions`` adds up those of each box, asset and hour; the last four count requests at boxes that did not hold it,
    and those of viewers who were turned away.
    """

    day: str
    files: int
    stored_bytes: int
    rows: int
    sites: int
    assets: int
    requests: int
    bytes: int
    sessions: int = 0
    missed: int = 0
    redirected: int = 0
    fetched: int = 0
    turned_away: int = 0


_COUNTED = tuple(name for name in Day.__struct_fields__ if name not in ("day", "files", "stored_bytes"))


def days_of(state: StateStore, settings: SteeringSettings, *, now_ns: int) -> tuple[list[Day], list[str]]:
    """The days that there are, in their order; and what cannot be used, a line each."""
    where = history_folder(settings)
    if where is None:
        return [], []
    folder = Path(where)
    files.make_folder(folder)
    first = now_ns // log.DAY_NS - settings.history.keep_days
    with state.reading() as snapshot:
        listed, aside = log.listed(snapshot, first=first), log.aside(snapshot, first=first)
    faults = [fault for each in listed if (fault := log.fault(each, folder))]
    unusable = {fault.of.key for fault in faults}
    sound = [each for each in listed if each.key not in unusable]
    with (
        files.scratch(folder) as scratch,
        open_engine(settings.history, scratch) as engine,
    ):
        found = engine.run(queries.by_day(), [each.path(folder) for each in sound], {})
    rows, parts_of = {int(day): place for place, day in enumerate(found["day"])}, log.by_day(sound)
    days = []
    for day in sorted(rows):
        parts = parts_of.get(day, [])
        counts = {name: int(found[name][rows[day]]) for name in _COUNTED}
        days.append(Day(log.day_text(day), len(parts), sum(each.part.bytes for each in parts), **counts))
    return days, [*aside, *(fault.why for fault in faults)]
