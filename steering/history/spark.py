"""The history read by a Spark cluster, for what one machine cannot read in a night: the extra ``spark``.

Tables go to the cluster, and outcomes come back, as Parquet files in the history's folder, which all its machines see.
A worker that is lost meanwhile costs time: Spark runs its tasks again elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import ibis
from ibis.config import Config
from numpy.typing import NDArray

from oca.common.errors import ConfigError, SteeringError
from steering.history.engine import Columns, DuckDb, Engine, sql
from steering.history.queries import LOG_SCHEMA, Query, table_of

_SPARK_TYPES = {"string": "string", "int32": "int", "int64": "bigint"}


class _SqlOptions(Config):  # type: ignore[misc] # no types
    """What Ibis' compiler for Spark asks for; its own backend, which would set it, wants pandas and pyarrow besides."""

    treat_nan_as_null: bool = False


class Spark:
    """A session of a cluster."""

    def __init__(self, session: Any, local: DuckDb, scratch: Path) -> None:
        self._session = session
        self._local = local
        self._scratch = scratch
        self._numbers = count()

    def run(self, query: Query, log: Sequence[Path], small: Mapping[str, Columns]) -> dict[str, NDArray[Any]]:
        """See ``Engine``."""
        from py4j.protocol import Py4JError  # noqa: PLC0415 - an extra
        from pyspark.errors import PySparkException  # noqa: PLC0415

        ibis.options.pyspark = _SqlOptions()
        number = next(self._numbers)
        outcome = self._scratch / f"outcome-{number}"
        schema = ", ".join(f"{name} {_SPARK_TYPES[kind]}" for name, kind in LOG_SCHEMA.items())
        try:
            self._session.read.schema(schema).parquet(*map(str, log)).createOrReplaceTempView("log")
            for name, table in small.items():
                path = self._scratch / f"{name}-{number}.parquet"
                self._local.write(path, table_of(name), (), {name: table})
                self._session.read.parquet(str(path)).createOrReplaceTempView(name)
            self._session.sql(sql(query, "pyspark")).write.parquet(str(outcome))
        except (PySparkException, Py4JError) as error:
            raise SteeringError(
                f"Spark cannot read the history: {str(error).splitlines()[0]}",
                remedy="look at the master's page and the workers' logs, or set history.engine = 'duckdb'",
            ) from None
        return self._local.rows(sorted(outcome.glob("*.parquet")))


@contextmanager
def open_spark(master: str, local: DuckDb, scratch: Path) -> Iterator[Engine]:
    """A session of the cluster under ``master``; its other settings come from Spark's own files.

    Raises:
        ConfigError: PySpark is not installed.
        SteeringError: The cluster cannot be reached.
    """
    try:
        from pyspark.errors import PySparkException  # noqa: PLC0415 - an extra
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError:
        raise ConfigError(
            f"history.engine = {master!r} needs PySpark, which is not installed",
            remedy="install open-appliance[spark] and Java 17, or set history.engine = 'duckdb'",
        ) from None
    builder = SparkSession.builder.master(master).appName("oca-steering").config("spark.ui.enabled", "false")
    try:
        session = builder.config("spark.sql.ansi.enabled", "true").getOrCreate()
    except (PySparkException, RuntimeError) as error:
        raise SteeringError(
            f"history.engine = {master!r} cannot be reached: {str(error).splitlines()[0]}",
            remedy="start the master and its workers, and see that Java 17 is installed here",
        ) from None
    try:
        yield Spark(session, local, scratch)
    finally:
        session.stop()
