"""What is asked of the history, said once for every engine, with Ibis. Pure.

Sums are of whole bytes: of fractions they would depend on the order in which an engine adds. They end somewhere, since
absurd numbers of one box are to stop nobody's planning: those that plans go by at 2^53, up to which sums of floats are
the same in any order; those that are only shown are of decimals, and end at what an integer holds.
"""

from __future__ import annotations

from typing import Any

import ibis

from steering.plan.counted import TOTAL_MAX, Counted

HOURS_PER_DAY = 24
SUMS = Counted.__struct_fields__
LOG_SCHEMA = {"site": "string", "asset": "string", "hour": "int32", **dict.fromkeys(SUMS, "int64")}
"""``hour`` counts from 1970, UTC. Files of release 0.1.0 have only the first two sums."""
SMALL_SCHEMAS = {
    "sites": {"site": "string", "number": "int32"},
    "assets": {"asset": "string", "place": "int32"},
}
"""Tables that are handed in beside the log."""
Query = Any
"""An Ibis table expression, whose package has no types to check against."""


def hourly() -> Query:
    """The log with one row a site, asset and hour, in this order."""
    summed = _log().group_by("site", "asset", "hour").aggregate(**{name: _[name].sum() for name in SUMS})
    return summed.order_by("site", "asset", "hour")


def rows() -> Query:
    """The log as it is."""
    return _log()


def table_of(name: str) -> Query:
    """One of the small tables as it is."""
    return ibis.table(SMALL_SCHEMAS[name], name=name)


def names(column: str) -> Query:
    """Of sites or assets, those that the log has; in their order, as far as an engine keeps it."""
    return _log().select(column).distinct().order_by(column)


def wanted(first: str, last: str) -> Query:
    """Bytes that were wanted by day, number of site and place of asset; days count from 1970.

    Of the sites from ``first`` to ``last``: files are in their order, so that an engine passes over the others.
    """
    some = _hours().filter(_.site.between(first, last))
    numbered = some.inner_join(table_of("sites"), "site").inner_join(table_of("assets"), "asset")
    return numbered.group_by("day", "number", "place").aggregate(bytes=_sum(_.wanted))


def by_day() -> Query:
    """Rows and sums of each day."""
    return (
        _log()
        .mutate(day=_day())
        .group_by("day")
        .aggregate(
            rows=_.count(),
            **{name: _whole_sum(_[name]) for name in SUMS},
            sites=_.site.nunique(),
            assets=_.asset.nunique(),
        )
    )


_ = ibis._
_SUM_MAX = 2**62


def _sum(column: Query) -> Query:
    return ibis.least(column.cast("float64").sum(), float(TOTAL_MAX)).cast("int64")


def _whole_sum(column: Query) -> Query:
    return ibis.least(column.cast("decimal(38, 0)").sum(), ibis.literal(_SUM_MAX, "decimal(38, 0)")).cast("int64")


def _log() -> Query:
    table = ibis.table(LOG_SCHEMA, name="log")
    return table.mutate(**{name: ibis.least(ibis.coalesce(_[name], 0), TOTAL_MAX) for name in SUMS})


def _day() -> Query:
    return (_.hour // HOURS_PER_DAY).cast("int32")


def _hours() -> Query:
    """What viewers of a site wanted of an asset in an hour, counted once.

    Whom one box does not serve another does, of this site or of another, or the origin. What this site's boxes sent in
    the hour is taken to have gone to viewers who had missed it or were turned away, as far as it goes: what is more of
    the two was wanted. What a box fetched for its viewers it has sent itself. That is of the whole hour: what is told
    late, or after a restart of steering, has rows of its own, and the two sides of a comparison may be in different
    ones. Imported days, which are of no hour, are not to be among them.
    """
    whole = (
        _log()
        .group_by("site", "asset", "hour")
        .aggregate(
            sent=_sum(_.bytes),
            elsewhere=_sum(_.missed_bytes + _.redirected_bytes + _.turned_away_bytes),
            fetched=_sum(_.fetched_bytes),
        )
    )
    return whole.mutate(day=_day(), wanted=ibis.greatest(_.sent, _.elsewhere) + _.fetched)
