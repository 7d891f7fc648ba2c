from __future__ import annotations

from pathlib import Path

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
    "bytes": np.array([10, 21, 30, 2**60 + 1, 50]),
}
SMALL: dict[str, Columns] = {
    "days": {"day": np.array([0, 1], np.int32), "weight": np.array([0.5, 1.0])},
    "sites": {"site": np.array(["m", "n"], object), "number": np.array([0, 1], np.int32)},
    "shelf": {"asset": np.array(["t/a", "t/b"], object), "place": np.array([0, 1], np.int32)},
    "debuts": {
        "asset": np.array(["t/a"], object),
        "first_day": np.array([1], np.int32),
        "last_day": np.array([3], np.int32),
    },
}
ANSWERS: dict[str, list[tuple[object, ...]]] = {
    "totals": [("m", 0, 10), ("m", 1, 101), ("n", 1, 2**60 + 1)],
    "watched": [(0, 0, 26), (0, 1, 30), (1, 0, 2**60)],
    "fresh": [("m", 1, 21), ("n", 1, 2**60 + 1)],
    "by_day": [(0, 1, 1, 10, 1, 1), (1, 4, 14, 2**60 + 102, 2, 3)],
    "hourly": [
        ("m", "t/a", 23, 1, 10),
        ("m", "t/a", 24, 2, 21),
        ("m", "t/b", 30, 3, 30),
        ("m", "u/gone", 47, 5, 50),
        ("n", "t/a", 24, 4, 2**60 + 1),
    ],
}
USES = {"totals": ["days"], "watched": ["days", "sites", "shelf"], "fresh": ["debuts"], "by_day": [], "hourly": []}


def rows_of(found: Columns) -> list[tuple[object, ...]]:
    return sorted(zip(*(column.tolist() for column in found.values()), strict=True))


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_duckdb_answers_each_query(tmp_path: Path, name: str) -> None:
    engine = local(tmp_path)
    path = tmp_path / "it's a log.parquet"
    engine.write(path, queries.rows(), (), {"log": LOG})
    query = getattr(queries, name)()
    small = {table: SMALL[table] for table in USES[name]}
    assert rows_of(engine.run(query, [path], small)) == ANSWERS[name]
    assert rows_of(engine.run(query, [], small)) == []
    engine.write(tmp_path / "answer", query, [path], small)
    assert rows_of(engine.rows([tmp_path / "answer"])) == ANSWERS[name]


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
