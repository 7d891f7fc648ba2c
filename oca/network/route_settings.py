"""The ``[routes]`` table of ``appliance.toml``: where the ISP's routes are heard."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from oca.common.routes import ROUTES_MAX
from oca.common.settings import Table

TableName = Annotated[
    str,
    Meta(pattern=r"\A[A-Za-z_][A-Za-z0-9_]{0,63}\Z", extra={"form": "the name of a table in bird.conf"}),
]


class RoutesTable(Table, frozen=True):
    """The prefixes that the ISP announces to this box over BGP, read from its BIRD 2 daemon, and told to steering."""

    bird_socket: Annotated[
        str,
        Meta(description="Control socket of BIRD, /run/bird/bird.ctl on Debian; empty: no routes are heard."),
    ] = ""
    tables: Annotated[
        tuple[TableName, ...],
        Meta(
            min_length=1, max_length=16, description="BIRD's tables to read; the best BGP route of each prefix counts."
        ),
    ] = ("master4", "master6")
    poll_s: Annotated[
        float,
        Meta(
            ge=0.5,
            le=300,
            description="How often BIRD is asked whether anything changed; only then its tables are read. Reading a "
            "full table takes seconds, so it is read less often then.",
            extra={"unit": "seconds"},
        ),
    ] = 2.0
    hold_s: Annotated[
        float,
        Meta(
            ge=0,
            le=86400,
            description="How long what a session announced is kept while it or BIRD itself is down: a restart moves no "
            "viewer.",
            extra={"unit": "seconds"},
        ),
    ] = 120.0
    routes_max: Annotated[
        int,
        Meta(
            ge=1,
            le=ROUTES_MAX,
            description="Routes heard at most; with more, the last table that was smaller stays. Steering has a bound "
            "of its own.",
            extra={"unit": "routes"},
        ),
    ] = 2_000_000
