"""What the forecast needs of the past: days that are over from their columns, what came since through an engine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePath

import numpy as np

from oca.common.errors import SteeringError
from oca.common.log import get_logger
from steering.history import columns, files, log, queries
from steering.history.daily import AnyDay, Day, Days, Joint
from steering.history.engine import DuckDb, Engine, open_engine
from steering.history.settings import HistoryTable
from steering.plan.demand import Hour, hours_of
from steering.plan.evidence import DEBUT_DAYS, Window, debut_share, debuts
from steering.plan.forecast import Bools, Floats
from steering.plan.shelf import Shelf
from steering.plan.watched import Column, ColumnOf, Joining, Watched
from steering.state.store import StateStore

SITES_PER_QUERY = 2500
SITES_PER_BLOCK = 250
THREADS = 2
Ask = Callable[..., Day]
"""What some files, and hours beside them, have of a day."""
_log = get_logger("history")


@dataclass(frozen=True, slots=True)
class Past:
    """What was watched. ``sites`` are in rising order; ``watched`` is by site and asset of the shelf, each day's bytes
    times its factor; ``yesterday`` is the last whole day's by itself; ``aside`` says what is missing, a line each.
    """

    sites: list[str]
    watched: Watched
    yesterday: Watched
    window: Window
    debut_share: float
    aside: list[str]


def read_past(
    state: StateStore,
    table: HistoryTable,
    shelf_of: Callable[[], Shelf],
    *,
    folder: PurePath | None,
    sites: Sequence[str],
    history_days: int,
    half_life_days: float,
    now_ns: int,
    column: ColumnOf = Column,
) -> Past:
    """Ask.

    Args:
        state: Has what is not in files yet, and which files there are.
        table: Which engine.
        shelf_of: Gives the catalogue, once days are read: assets that are not on it are left out.
        folder: Of the history's files; None: there are none.
        sites: That are to be among the sites, even if nothing was watched there.
        history_days: How far to look back.
        half_life_days: Age at which a day counts half.
        now_ns: When.
        column: Gives the memory for what was watched.

    Raises:
        SteeringError: The engine cannot.
    """
    oldest = Window.until(now_ns, history_days=history_days, begun=0).first
    with state.reading() as snapshot:
        listed = log.listed(snapshot, first=oldest) if folder is not None else []
        aside = log.aside(snapshot, first=oldest)
        recent, imported = (log.by_day(hours_of(snapshot, kind)) for kind in ("demand", "imported"))
    place = Path(folder or tempfile.gettempdir())
    faults = [fault for each in listed if (fault := log.fault(each, place))]
    sound = [each for each in listed if all(each is not fault.of for fault in faults)]
    begun = min({each.day for each in sound} | recent.keys() | imported.keys(), default=None)
    window = Window.until(now_ns, history_days=history_days, begun=begun)
    with ExitStack() as opened:
        with _asking(table, place) as ask:
            found = _days(ask, place, opened, window, sound=sound, recent=recent, imported=imported)
        shelf = shelf_of()
        names = sorted({*sites, *(site for day in found for site in day.sites)})
        watched, yesterday, share = _summed(found, names, shelf, window, half_life_days=half_life_days, column=column)
    return Past(names, watched, yesterday, window, share, [*aside, *(fault.why for fault in faults)])


def _summed(
    found: Sequence[AnyDay],
    sites: Sequence[str],
    shelf: Shelf,
    window: Window,
    *,
    half_life_days: float,
    column: ColumnOf,
) -> tuple[Watched, Watched, float]:
    """What was watched, what of it yesterday, and the share that a title has on its first days."""
    counted = debuts(shelf.title_released_at_ns, window)
    fresh, entries = _fresh(shelf, window, counted), [day.entries for day in found]
    watched = Joining(entries_max=sum(entries), width=shelf.count, column=column)
    yesterday = Joining(entries_max=max(entries), width=shelf.count, column=column)
    blocks = [sites[start : start + SITES_PER_BLOCK] for start in range(0, len(sites), SITES_PER_BLOCK)]
    shares = []
    with ThreadPoolExecutor(THREADS, thread_name_prefix="history") as pool:
        days = Days(
            found,
            window.factors(half_life_days),
            places=list(pool.map(lambda day: day.numbers.places_in(shelf.numbers), found)),
            width=shelf.count,
            yesterday=window.today - 1 - window.first,
            fresh=fresh,
        )
        for sums in pool.map(days.sums, blocks):
            watched.add(sums.watched)
            yesterday.add(sums.yesterday)
            shares.append((sums.fresh, sums.totals))
    return watched.whole(), yesterday.whole(), _debut_share(shares, titles=int(counted.sum()))


@contextmanager
def _asking(table: HistoryTable, folder: Path) -> Iterator[Ask]:
    """Asks for a day at a time, so that no more of what the engine finds is in memory at once."""
    files.make_folder(folder)
    with files.scratch(folder) as scratch, open_engine(table, scratch) as engine:
        local, numbers = DuckDb(scratch, memory_bytes_max=table.memory_bytes_max), count()

        def ask(parts: Sequence[log.Listed], hours: Sequence[Hour] = ()) -> Day:
            paths = [each.path(folder) for each in parts]
            if hours:
                paths.append(scratch / f"hours-{next(numbers)}.parquet")
                local.write(paths[-1], queries.rows(), (), {"log": log.columns_of(hours)})
            return _asked(engine, paths)

        yield ask


def _days(
    ask: Ask,
    folder: Path,
    opened: ExitStack,
    window: Window,
    *,
    sound: Sequence[log.Listed],
    recent: Mapping[int, Sequence[Hour]],
    imported: Mapping[int, Sequence[Hour]],
) -> list[AnyDay]:
    """Each day of the window: as it was kept, if it is over and nothing of it came late, which is in no file yet.

    What a site wanted is of a whole hour: so a day is asked for whole. What was imported is of no hour, and is added.
    """
    found: list[AnyDay] = []
    parts_of = log.by_day(sound)
    for day in window.days().tolist():
        parts, late = parts_of.get(day, []), recent.get(day, ())
        is_kept = parts and not late and day < window.today
        told = _kept(ask, folder / log.columns_of_day(day, parts), parts, opened) if is_kept else ask(parts, late)
        found.append(Joint.of(told, ask((), imported[day])) if day in imported else told)
    return found


def _kept(ask: Ask, path: Path, parts: Sequence[log.Listed], opened: ExitStack) -> AnyDay:
    """A day that is over, read from its columns, which are made if there are none."""
    kept = columns.open_kept(path)
    if kept is None:
        found = ask(parts)
        try:
            columns.keep(path, found)
        except SteeringError as error:
            _log.warning("a day of the history is read anew each night", why=str(error))
        kept = columns.open_kept(path)
        if kept is None:
            return found
    opened.callback(kept.close)
    return kept


def _asked(engine: Engine, paths: Sequence[Path]) -> Day:
    """What a day's files have; some sites after the others, since all of a large fleet would not fit in memory."""
    if not paths:
        return _NOTHING
    sites, assets = (sorted(engine.run(queries.names(name), paths, {})[name].tolist()) for name in ("site", "asset"))
    places = {"asset": np.array(assets, object), "place": np.arange(len(assets), dtype=np.int32)}
    blocks = []
    for start in range(0, len(sites), SITES_PER_QUERY):
        some = sites[start : start + SITES_PER_QUERY]
        numbers = {"site": np.array(some, object), "number": np.arange(len(some), dtype=np.int32)}
        found = engine.run(queries.wanted(some[0], some[-1]), paths, {"sites": numbers, "assets": places})
        entries = (found[name] for name in ("number", "place", "bytes"))
        blocks.append(Day.of(some, assets, Watched.of_entries(*entries, shape=(len(some), len(assets)))))
    return Day.joined(blocks, assets)


def _fresh(shelf: Shelf, window: Window, counted: Bools) -> list[Bools]:
    """Of each day, which assets had one of their first days then; of the titles that are ``counted``."""
    rows = np.flatnonzero(counted[shelf.families.title])
    first = window.of_release(shelf.released_at_ns[rows])
    found = []
    for day in window.days().tolist():
        marked = np.zeros(len(shelf.assets), np.bool_)
        marked[rows[(first <= day) & (day < first + DEBUT_DAYS)]] = True
        found.append(marked)
    return found


def _debut_share(shares: Sequence[tuple[Floats, Floats]], *, titles: int) -> float:
    """Share of a site's day that a title has on its first days; 0 where none came out in the window."""
    if not shares:
        return 0.0
    fresh, totals = (np.concatenate([each.T for each in several]) for several in zip(*shares, strict=True))
    there = fresh > 0
    found = fresh[there] / np.maximum(totals[there], 1)
    return debut_share(found, titles=titles, sites=int((totals > 0).any(axis=1).sum()))


_NOTHING = Day([], [], Watched.of_dense(np.zeros((0, 0))))
