"""Engines that read the history: DuckDB in this process, or Spark. The queries are the same; this is where they run.

An engine gets files that were proved before; what still cannot be read is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import ibis
import numpy as np
from numpy.typing import NDArray

from oca.common.errors import SteeringError
from steering.history.queries import LOG_SCHEMA, Query
from steering.history.settings import HistoryTable

if TYPE_CHECKING:
    from collections.abc import Iterator

Columns = Mapping[str, NDArray[Any]]
"""Columns of one length by their names; texts as objects."""
_SQL_TYPES = {"string": "VARCHAR", "int32": "INTEGER", "int64": "BIGINT", "float64": "DOUBLE"}


class Engine(Protocol):
    """Runs queries over log files."""

    def run(self, query: Query, log: Sequence[Path], small: Mapping[str, Columns]) -> dict[str, NDArray[Any]]:
        """The columns that a query of ``queries`` comes to, its rows in any order.

        Args:
            query: An Ibis expression over ``log`` and the small tables.
            log: Parquet files; none: an empty log.
            small: Tables beside it, by name.

        Raises:
            SteeringError: The engine cannot, with its own words.
        """
        ...


class DuckDb:
    """DuckDB in this process; ``scratch`` is for what does not fit in memory."""

    def __init__(self, scratch: Path, *, memory_bytes_max: int) -> None:
        self._scratch = scratch
        self._memory_bytes_max = memory_bytes_max

    def run(self, query: Query, log: Sequence[Path], small: Mapping[str, Columns]) -> dict[str, NDArray[Any]]:
        """See ``Engine``."""
        with self._connected(log, small) as connection:
            return _arrays(connection.execute(_typed(query)))

    def rows(self, files: Sequence[Path], columns: str = "*") -> dict[str, NDArray[Any]]:
        """All rows of Parquet files."""
        with self._connected((), {}) as connection:
            return _arrays(connection.execute(f"SELECT {columns} FROM {_parquet(files)}"))  # noqa: S608 - our own

    def write(self, path: Path, query: Query, log: Sequence[Path], small: Mapping[str, Columns]) -> None:
        """Put what a query comes to into a Parquet file."""
        with self._connected(log, small) as connection:
            connection.execute(f"COPY ({_typed(query)}) TO {_quoted(path)} (FORMAT parquet, COMPRESSION zstd)")

    @contextmanager
    def _connected(self, log: Sequence[Path], small: Mapping[str, Columns]) -> Iterator[duckdb.DuckDBPyConnection]:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{self._memory_bytes_max // 2**20}MiB",
            "temp_directory": str(self._scratch),
            "autoinstall_known_extensions": "false",
        }
        try:
            with duckdb.connect(config=config) as connection:
                if "log" not in small:
                    columns = ", ".join(f"{name} {_SQL_TYPES[kind]}" for name, kind in LOG_SCHEMA.items())
                    connection.execute(f"CREATE TABLE {'no_log' if log else 'log'} ({columns})")
                if log:  # a column that no file has is there, and empty
                    both = f"SELECT * FROM no_log UNION ALL BY NAME SELECT * FROM {_parquet(log)}"  # noqa: S608
                    connection.execute(f"CREATE VIEW log AS {both}")
                for name, table in small.items():
                    connection.register(name, dict(table))
                yield connection
        except duckdb.Error as error:
            raise SteeringError(
                f"DuckDB cannot read or write the history: {str(error).splitlines()[0]}",
                remedy="raise history.memory_bytes_max if memory is short; look at the disk of history.path",
            ) from None


def sql(query: Query, dialect: str) -> str:
    """A query in an engine's SQL."""
    return str(ibis.to_sql(query, dialect=dialect))


def open_engine(table: HistoryTable, scratch: Path) -> AbstractContextManager[Engine]:
    """The engine that the settings name, for the length of the block; ``scratch`` is a folder of its own.

    Raises:
        SteeringError: It cannot be reached, or is not installed.
    """
    local = DuckDb(scratch, memory_bytes_max=table.memory_bytes_max)
    if table.engine == "duckdb":
        return _own(local)
    from steering.history.spark import open_spark  # noqa: PLC0415 - an extra: not there unless it is used

    return open_spark(table.engine, local, scratch)


@contextmanager
def _own(engine: DuckDb) -> Iterator[Engine]:
    yield engine


def _typed(query: Query) -> str:
    """DuckDB's SQL; its sums are wider than what they add up, and would be written and read as floats."""
    columns = (f'CAST("{name}" AS {_SQL_TYPES[str(kind)]}) AS "{name}"' for name, kind in query.schema().items())
    return f"SELECT {', '.join(columns)} FROM ({sql(query, 'duckdb')})"  # noqa: S608 - our own


def _arrays(found: duckdb.DuckDBPyConnection) -> dict[str, NDArray[Any]]:
    return {name: np.ma.getdata(column) for name, column in found.fetchnumpy().items()}


def _parquet(files: Sequence[Path]) -> str:
    listed = ", ".join(_quoted(path) for path in files)
    return f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true)"


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
