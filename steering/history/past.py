"""What the forecast needs of the past: the history's files and what the state still holds, asked through an engine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath

import numpy as np

from steering.demand import Hour, hours_of
from steering.evidence import DEBUT_DAYS, Window, debut_share, debuts
from steering.history import files, log, queries
from steering.history.engine import Columns, DuckDb, open_engine
from steering.history.settings import HistoryTable
from steering.shelf import Shelf
from steering.state.store import StateStore
from steering.watched import Watched

Ask = Callable[..., Columns]
"""``Engine.run`` over the log of now."""


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
    shelf: Shelf,
    *,
    folder: PurePath | None,
    sites: Sequence[str],
    history_days: int,
    half_life_days: float,
    now_ns: int,
) -> Past:
    """Ask.

    Args:
        state: Has what is not in files yet, and which files there are.
        table: Which engine.
        shelf: The catalogue: assets that are not on it are left out.
        folder: Of the history's files; None: there are none.
        sites: That are to be among the sites, even if nothing was watched there.
        history_days: How far to look back.
        half_life_days: Age at which a day counts half.
        now_ns: When.

    Raises:
        SteeringError: The engine cannot.
    """
    oldest = Window.until(now_ns, history_days=history_days, begun=0).first
    with state.reading() as snapshot:
        listed = log.listed(snapshot, first=oldest) if folder is not None else []
        aside = log.aside(snapshot, first=oldest)
        recent = [hour for kind in ("demand", "imported") for hour in hours_of(snapshot, kind)]
    place = Path(folder or tempfile.gettempdir())
    faults = [fault for each in listed if (fault := log.fault(each, place))]
    unusable = {fault.of.key for fault in faults}
    sound = [each for each in listed if each.key not in unusable]
    begun = min([each.day for each in sound] + [hour.day for hour in recent], default=None)
    window = Window.until(now_ns, history_days=history_days, begun=begun)
    paths = [each.path(place) for each in sound]
    with _asking(table, place, paths, recent) as ask:
        days = {"day": window.days().astype(np.int32), "weight": window.factors(half_life_days)}
        totals = ask(queries.totals(), small={"days": days})
        names = sorted({*totals["site"].tolist(), *sites})
        places = {"asset": np.array(list(shelf.place), object), "place": np.arange(len(shelf.place), dtype=np.int32)}
        numbers = {"site": np.array(names, object), "number": np.arange(len(names), dtype=np.int32)}
        small = {"sites": numbers, "shelf": places}
        found = ask(queries.watched(), small={"days": days, **small})
        last = {"day": np.array([window.today - 1], np.int32), "weight": np.ones(1)}
        latest = ask(queries.watched(), small={"days": last, **small})
        new = _debut_share(ask, totals, shelf, window)
    shape = (len(names), len(shelf.place))
    watched = Watched.of_entries(found["number"], found["place"], found["bytes"], shape=shape)
    yesterday = Watched.of_entries(latest["number"], latest["place"], latest["bytes"], shape=shape)
    return Past(names, watched, yesterday, window, new, [*aside, *(fault.why for fault in faults)])


@contextmanager
def _asking(table: HistoryTable, folder: Path, paths: Sequence[Path], recent: Sequence[Hour]) -> Iterator[Ask]:
    """Runs queries over the files and what the state still holds."""
    files.make_folder(folder)
    with tempfile.TemporaryDirectory(prefix=files.SCRATCH, dir=folder) as made:
        scratch = Path(made)
        if recent:
            local = DuckDb(scratch, memory_bytes_max=table.memory_bytes_max)
            local.write(scratch / "recent.parquet", queries.rows(), (), {"log": log.columns_of(recent)})
            paths = [*paths, scratch / "recent.parquet"]
        with open_engine(table, scratch) as engine:
            yield partial(engine.run, log=paths)


def _debut_share(ask: Ask, totals: Columns, shelf: Shelf, window: Window) -> float:
    """Share of a site's day that a title has on its first days; 0 where none came out in the window."""
    counted = debuts(shelf.title_released_at_ns, window)
    rows = np.flatnonzero(counted[shelf.families.title])
    if not len(rows) or not len(totals["site"]):
        return 0.0
    first = window.of_release(shelf.released_at_ns[rows]).astype(np.int32)
    names = np.array([shelf.assets[row].asset for row in rows.tolist()], object)
    table = {"asset": names, "first_day": first, "last_day": first + np.int32(DEBUT_DAYS - 1)}
    fresh = ask(queries.fresh(), small={"debuts": table})
    watched = dict(zip(zip(totals["site"], totals["day"], strict=True), totals["bytes"], strict=True))
    pairs = sorted(zip(fresh["site"], fresh["day"], fresh["bytes"], strict=True))
    shares = [count / max(watched[site, day], 1) for site, day, count in pairs if (site, day) in watched]
    return debut_share(np.array(shares), titles=int(counted.sum()), sites=len(set(totals["site"].tolist())))
