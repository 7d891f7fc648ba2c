"""Settings of what a new appliance has to pass before its first viewer. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from oca.common.settings_schema import Table


class TurnupTable(Table, frozen=True):
    """What a new appliance has to pass, once, before its first viewer: that its report comes, its delivery port can be
    fetched from, its clock is right, and what stands here.
    """

    wanted: Annotated[
        bool, Meta(description="Whether new appliances are checked; false: each takes viewers as soon as it reports.")
    ] = True
    contents_ratio_min: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Share of the bytes of its plan that it has to hold; while no plan is made: something of what "
            "is published. 0: it may be empty.",
        ),
    ] = 0.5
    version_min: Annotated[
        str,
        Meta(
            pattern=r"\A([0-9]+(\.[0-9]+){0,3})?\Z",
            description="Oldest release of oca that may serve; empty: any.",
            extra={"form": "numbers and dots, as in 1.2, or empty"},
        ),
    ] = ""
