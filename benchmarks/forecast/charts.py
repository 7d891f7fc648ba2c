"""Weekly Top 10 lists by country: read from a file that is given, or generated; nothing is downloaded."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LIST_LENGTH = 10
KINDS = ("Films", "TV")
_COLUMNS = ("country_iso2", "week", "category", "weekly_rank", "show_title", "season_title")
_COUNTRIES_MAX, _TITLES_MAX, _WEEKS_MAX = 300, 50_000, 1000


@dataclass(frozen=True, slots=True)
class Charts:
    """Ranks of titles, 1 to 10 within a kind, 0 where not listed.

    ``ranks`` is (weeks, countries, titles); ``kinds`` indexes ``KINDS`` by title; ``weeks`` are the last days of
    the chart's weeks, Sundays, without a gap; a country may have no list in a week.
    """

    weeks: list[date]
    countries: list[str]
    titles: list[str]
    kinds: NDArray[np.int8]
    ranks: NDArray[np.int8]

    def debuts(self) -> NDArray[np.int64]:
        """The week in which each title is first listed anywhere."""
        debut: NDArray[np.int64] = (self.ranks > 0).any(axis=1).argmax(axis=0)
        return debut


def read_charts(path: Path) -> Charts:
    """Lists in the form in which Netflix publishes them: tab-separated, one row a country, week, kind and rank.

    Raises:
        SystemExit: Naming the file, the line and what is wrong with it.
    """
    rows: list[tuple[date, str, int, int, str]] = []
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            if missing := [name for name in _COLUMNS if name not in (reader.fieldnames or ())]:
                raise SystemExit(f"{path}: line 1 has no column {', '.join(missing)}; give the lists by country")
            for line, row in enumerate(reader, start=2):
                rows.append(_row(path, line, row))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise SystemExit(f"{path}: cannot be read: {error}; give a .tsv or .tsv.gz file") from None
    return _charts(path, rows)


def _row(path: Path, line: int, row: dict[str, str]) -> tuple[date, str, int, int, str]:
    try:
        week, rank, kind = date.fromisoformat(row["week"]), int(row["weekly_rank"]), KINDS.index(row["category"])
        title = f"{row['category']}/{row['show_title']}/{row['season_title']}"
    except (ValueError, TypeError) as error:
        raise SystemExit(f"{path}: line {line}: {error}; correct or remove it") from None
    if not 1 <= rank <= LIST_LENGTH:
        raise SystemExit(f"{path}: line {line}: weekly_rank {rank} is not 1 to {LIST_LENGTH}")
    return week, row["country_iso2"], kind, rank, title


def _charts(path: Path, rows: list[tuple[date, str, int, int, str]]) -> Charts:
    if not rows:
        raise SystemExit(f"{path}: no rows; give the lists by country")
    first, last = min(row[0] for row in rows), max(row[0] for row in rows)
    weeks = [first + timedelta(weeks=number) for number in range((last - first).days // 7 + 1)]
    countries = sorted({row[1] for row in rows})
    titles = sorted({row[4] for row in rows})
    if len(weeks) > _WEEKS_MAX or len(countries) > _COUNTRIES_MAX or len(titles) > _TITLES_MAX:
        raise SystemExit(f"{path}: {len(weeks)} weeks, {len(countries)} countries, {len(titles)} titles: too much")
    if stray := {row[0] for row in rows} - set(weeks):
        raise SystemExit(f"{path}: week {min(stray)} is not a whole number of weeks after {first}")
    place = {title: number for number, title in enumerate(titles)}
    country = {code: number for number, code in enumerate(countries)}
    kinds = np.zeros(len(titles), np.int8)
    ranks = np.zeros((len(weeks), len(countries), len(titles)), np.int8)
    for week, code, kind, rank, title in rows:
        kinds[place[title]] = kind
        ranks[(week - first).days // 7, country[code], place[title]] = rank
    return Charts(weeks, countries, titles, kinds, ranks)


def generate_charts(*, weeks: int = 26, countries: int = 12, seed: int = 6) -> Charts:
    """Made-up lists: titles come out each week, some everywhere, most in one taste's countries, and decay.

    Nothing of it is measured: it lets the benchmark and its tests run where no real lists are at hand.
    """
    chance = np.random.default_rng(seed)
    new_a_week, before = 24, 8
    titles = new_a_week * (weeks + before)
    debut = np.arange(titles) // new_a_week - before
    kinds = (np.arange(titles) % 2).astype(np.int8)
    strength = chance.lognormal(0, 1.2, titles)
    half_life = chance.lognormal(np.log(np.where(kinds == 0, 1.0, 1.8)), 0.4)
    taste = np.exp(chance.normal(0, 1.2, (4, titles)))[np.arange(countries) % 4]
    own = np.exp(chance.normal(0, 0.5, (countries, titles)))
    appeal = strength * np.where(chance.random(titles) < 0.2, strength.max() / 4, taste * own)
    ranks = np.zeros((weeks, countries, titles), np.int8)
    for week in range(weeks):
        age = week - debut
        score = appeal * 0.5 ** (age / half_life) * (age >= 0) * np.exp(chance.normal(0, 0.2, appeal.shape))
        for kind in range(len(KINDS)):
            best = np.argsort(-score * (kinds == kind), axis=1)[:, :LIST_LENGTH]
            np.put_along_axis(ranks[week], best, np.arange(1, LIST_LENGTH + 1, dtype=np.int8)[None], axis=1)
    listed = (ranks > 0).any(axis=(0, 1))
    first = date(2024, 1, 7)
    return Charts(
        [first + timedelta(weeks=week) for week in range(weeks)],
        [f"country {number}" for number in range(countries)],
        [f"title {number}" for number in np.flatnonzero(listed)],
        kinds[listed],
        ranks[:, :, listed],
    )
