"""The settings of the history of demand. Pure."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from oca.common.settings_schema import Table

if TYPE_CHECKING:
    from steering.settings import SteeringSettings


class HistoryTable(Table, frozen=True):
    """Past demand by the hour, as Parquet files; docs/history.md."""

    path: Annotated[
        str,
        Meta(
            description="Folder of the files, one for all instances of steering and workers of Spark; empty: history "
            'under state.path, or with state.engine = "nats" no files, and demand stays in the state.'
        ),
    ] = ""
    engine: Annotated[
        str,
        Meta(
            description="What reads it: duckdb, in this process, or the master of a Spark cluster, "
            "spark://host:7077, whose workers see the folder under the same path.",
            pattern=r"\A(duckdb|spark://[A-Za-z0-9.:\[\]_-]{1,253})\Z",
            extra={"form": "duckdb, or spark:// and the master's host and port"},
        ),
    ] = "duckdb"
    keep_days: Annotated[int, Meta(ge=1, le=3650, description="Older files are removed.", extra={"unit": "days"})] = 400
    memory_bytes_max: Annotated[
        int,
        Meta(
            ge=2**26,
            le=2**44,
            description="Most that DuckDB takes; beyond, it works on disk.",
            extra={"unit": "bytes"},
        ),
    ] = 2 * 2**30


def history_folder(settings: SteeringSettings) -> PurePath | None:
    """Where the files are; None where instances share the state, but no folder."""
    if settings.history.path:
        return PurePath(settings.history.path)
    return PurePath(settings.state.path) / "history" if settings.state.engine == "lmdb" else None
