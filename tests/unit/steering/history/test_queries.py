from __future__ import annotations

import pytest

from steering.history import queries
from steering.history.engine import sql


@pytest.mark.parametrize("name", ["hourly", "rows", "totals", "watched", "fresh", "by_day"])
def test_query_is_said_in_the_words_of_duckdb(name: str) -> None:
    assert '"log"' in sql(getattr(queries, name)(), "duckdb")


def test_table_of_is_the_table_as_it_is() -> None:
    assert list(queries.table_of("days").columns) == ["day", "weight"]
