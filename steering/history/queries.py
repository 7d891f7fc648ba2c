"""What is asked of the history, said once for every engine, with Ibis. Pure.

Sums are of whole bytes: of fractions they would depend on the order in which an engine adds.
"""

from __future__ import annotations

from typing import Any

import ibis

HOURS_PER_DAY = 24
LOG_SCHEMA = {"site": "string", "asset": "string", "hour": "int32", "requests": "int64", "bytes": "int64"}
"""``hour`` counts from 1970, UTC."""
SMALL_SCHEMAS = {
    "days": {"day": "int32", "weight": "float64"},
    "sites": {"site": "string", "number": "int32"},
    "shelf": {"asset": "string", "place": "int32"},
    "debuts": {"asset": "string", "first_day": "int32", "last_day": "int32"},
}
"""Tables that are handed in beside the log; ``day`` counts from 1970."""
Query = Any
"""An Ibis table expression, whose package has no types to check against."""


def hourly() -> Query:
    """The log with one row a site, asset and hour, in this order."""
    summed = _log().group_by("site", "asset", "hour").aggregate(requests=_.requests.sum(), bytes=_.bytes.sum())
    return summed.order_by("site", "asset", "hour")


def rows() -> Query:
    """The log as it is."""
    return _log()


def table_of(name: str) -> Query:
    """One of the small tables as it is."""
    return ibis.table(SMALL_SCHEMAS[name], name=name)


def totals() -> Query:
    """Bytes by site and day, of the days in ``days``."""
    counted = _by_day().inner_join(table_of("days"), "day")
    return counted.group_by("site", "day").aggregate(bytes=_.bytes.sum())


def watched() -> Query:
    """Bytes by number of site and place of asset, each day's times its weight."""
    counted = _by_day().inner_join(table_of("days"), "day")
    known = counted.inner_join(table_of("sites"), "site").inner_join(table_of("shelf"), "asset")
    weighed = known.mutate(weighed=(_.bytes.cast("float64") * _.weight).floor().cast("int64"))
    return weighed.group_by("number", "place").aggregate(bytes=_.weighed.sum())


def fresh() -> Query:
    """Bytes by site and day of the assets in ``debuts``, on their first days."""
    counted = _by_day().inner_join(table_of("debuts"), "asset")
    new = counted.filter((_.day >= _.first_day) & (_.day <= _.last_day))
    return new.group_by("site", "day").aggregate(bytes=_.bytes.sum())


def by_day() -> Query:
    """Rows, requests and bytes of each day."""
    return (
        _by_day()
        .group_by("day")
        .aggregate(
            rows=_.count(),
            requests=_.requests.sum(),
            bytes=_.bytes.sum(),
            sites=_.site.nunique(),
            assets=_.asset.nunique(),
        )
    )


_ = ibis._


def _log() -> Query:
    return ibis.table(LOG_SCHEMA, name="log")


def _by_day() -> Query:
    return _log().mutate(day=(_.hour // HOURS_PER_DAY).cast("int32"))
