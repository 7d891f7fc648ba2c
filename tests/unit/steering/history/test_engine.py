from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from oca.common.errors import ConfigError, SteeringError
from steering.history import queries
from steering.history.engine import Columns, open_engine
from steering.history.settings import HistoryTable
from tests.unit.steering.history.made_up import local

LOG: Columns = {
    "site": np.array(["m", "m", "m", "n", "m"], object),
    "asset": np.array(["t/a", "t/a", "t/b", "t/a", "u/gone"], object),
    "hour": np.array([23, 24, 30, 24, 47], np.int32),
    "requests": np.array([1, 2, 3, 4, 5]),
    "bytes": np.array([10, 21, 30, 2**52 + 1, 50]),
    "sessions": np.array([1, 1, 2, 3, 4]),
    "missed": np.array([0, 1, 2, 0, 0]),
    "missed_bytes": np.array([0, 10, 40, 0, 0]),
    "redirected": np.array([0, 0, 1, 0, 0]),
    "redirected_bytes": np.array([0, 0, 20, 0, 0]),
    "fetched": np.array([0, 0, 0, 0, 1]),
    "fetched_bytes": np.array([0, 0, 0, 0, 5]),
    "turned_away": np.array([0, 0, 3, 0, 0]),
    "turned_away_bytes": np.array([0, 0, 7, 0, 0]),
}
SMALL: dict[str, Columns] = {
    "sites": {"site": np.array(["m", "n"], object), "number": np.array([0, 1], np.int32)},
    "assets": {"asset": np.array(["t/a", "t/b"], object), "place": np.array([0, 1], np.int32)},
}
ANSWERS: dict[str, list[tuple[object, ...]]] = {
    "sites": [("m",), ("n",)],
    "assets": [("t/a",), ("t/b",), ("u/gone",)],
    "wanted": [(0, 0, 0, 10), (1, 0, 0, 21), (1, 0, 1, 67), (1, 1, 0, 2**52 + 1)],
    "by_day": [
        (0, 1, 1, 10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1),
        (1, 4, 14, 2**52 + 102, 10, 3, 50, 1, 20, 1, 5, 3, 7, 2, 3),
    ],
    "hourly": [
        ("m", "t/a", 23, 1, 10, 1, 0, 0, 0, 0, 0, 0, 0, 0),
        ("m", "t/a", 24, 2, 21, 1, 1, 10, 0, 0, 0, 0, 0, 0),
        ("m", "t/b", 30, 3, 30, 2, 2, 40, 1, 20, 0, 0, 3, 7),
        ("m", "u/gone", 47, 5, 50, 4, 0, 0, 0, 0, 1, 5, 0, 0),
        ("n", "t/a", 24, 4, 2**52 + 1, 3, 0, 0, 0, 0, 0, 0, 0, 0),
    ],
}
QUERIES = {
    "sites": queries.names("site"),
    "assets": queries.names("asset"),
    "wanted": queries.wanted("m", "n"),
    "by_day": queries.by_day(),
    "hourly": queries.hourly(),
}
USES = {"wanted": ["sites", "assets"]}


def rows_of(found: Columns) -> list[tuple[object, ...]]:
    return sorted(zip(*(column.tolist() for column in found.values()), strict=True))


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_duckdb_answers_each_query(tmp_path: Path, name: str) -> None:
    engine = local(tmp_path)
    path = tmp_path / "it's a log.parquet"
    engine.write(path, queries.rows(), (), {"log": LOG})
    query = QUERIES[name]
    small = {table: SMALL[table] for table in USES.get(name, ())}
    assert rows_of(engine.run(query, [path], small)) == ANSWERS[name]
    assert rows_of(engine.run(query, [], small)) == []
    engine.write(tmp_path / "answer", query, [path], small)
    assert rows_of(engine.rows([tmp_path / "answer"])) == ANSWERS[name]


@pytest.mark.parametrize("others", [[], ["new.parquet"]])
def test_duckdb_reads_files_of_release_0_1_0(tmp_path: Path, others: list[str]) -> None:
    engine = local(tmp_path)
    engine.write(tmp_path / "new.parquet", queries.rows(), (), {"log": LOG})
    columns = "site, asset, hour, requests, bytes"
    with duckdb.connect() as connection:
        source = f"SELECT {columns} FROM read_parquet('{tmp_path / 'new.parquet'}')"
        connection.execute(f"COPY ({source}) TO '{tmp_path / 'old.parquet'}' (FORMAT parquet)")
    paths = [tmp_path / name for name in ("old.parquet", *others)]
    found = engine.run(queries.hourly(), paths, {})
    assert int(found["bytes"].sum()) == len(paths) * int(LOG["bytes"].sum())
    assert found["sessions"].sum() == (11 if others else 0)
    assert found["missed_bytes"].sum() == (50 if others else 0)


@pytest.mark.parametrize("name", ["by_day", "wanted", "hourly"])
def test_absurd_sums_end_where_integers_do(tmp_path: Path, name: str) -> None:
    absurd: dict[str, Any] = {**LOG, **{column: np.full(5, 2**63 - 1) for column in queries.SUMS}}
    many = {column: np.tile(values, 2000) for column, values in absurd.items()}
    small: dict[str, Any] = {table: SMALL[table] for table in USES.get(name, ())}
    small["log"] = absurd if name == "hourly" else many
    found = local(tmp_path).run(QUERIES[name], [], small)
    assert all(0 < found[column].max() <= 2**62 for column in ("bytes", "fetched_bytes") if column in found)


def test_wanted_of_an_hour_is_the_same_in_one_row_and_in_many(tmp_path: Path) -> None:
    rows = 5
    parts: dict[str, Any] = {
        **{name: np.array([value] * rows, object) for name, value in (("site", "m"), ("asset", "t/a"))},
        "hour": np.array([24, 24, 24, 25, 25], np.int32),
        **{name: np.zeros(rows, np.int64) for name in queries.SUMS},
        "bytes": np.array([0, 100, 7, 0, 3]),
        "missed_bytes": np.array([20, 0, 0, 0, 0]),
        "redirected_bytes": np.array([75, 0, 0, 10, 0]),
        "turned_away_bytes": np.array([5, 0, 0, 4, 0]),
        "fetched_bytes": np.array([0, 1, 1, 0, 0]),
    }
    engine = local(tmp_path)
    for number in range(rows):
        row = {name: column[number : number + 1] for name, column in parts.items()}
        engine.write(tmp_path / f"{number}.parquet", queries.rows(), (), {"log": row})
    paths = [tmp_path / f"{number}.parquet" for number in range(rows)]
    engine.write(tmp_path / "one.parquet", queries.hourly(), paths, {})
    for files in (paths, [tmp_path / "one.parquet"]):
        assert rows_of(engine.run(QUERIES["wanted"], files, SMALL)) == [(1, 0, 0, 107 + 2 + 14)]


def test_duckdb_says_why_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text("no parquet")
    with pytest.raises(SteeringError, match=r"DuckDB cannot read or write the history: .*x\.parquet"):
        local(tmp_path).run(queries.by_day(), [tmp_path / "x.parquet"], {})


def test_engine_is_the_one_that_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_engine(HistoryTable(), tmp_path) as engine:
        assert type(engine) is type(local(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "pyspark", None)
    with (
        pytest.raises(ConfigError, match=r"needs PySpark, which is not installed; install open-appliance\[spark\]"),
        open_engine(HistoryTable(engine="spark://127.0.0.1:7077"), tmp_path),
    ):
        pass
