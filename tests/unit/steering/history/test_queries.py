from __future__ import annotations

import pytest

from steering.history import queries
from steering.history.engine import sql


@pytest.mark.parametrize(
    "query", [queries.hourly(), queries.rows(), queries.names("site"), queries.wanted("a", "z"), queries.by_day()]
)
def test_query_is_said_in_the_words_of_duckdb(query: queries.Query) -> None:
    assert '"log"' in sql(query, "duckdb")


def test_table_of_is_the_table_as_it_is() -> None:
    assert list(queries.table_of("sites").columns) == ["site", "number"]
