"""The settings of plans: when they are made, of what, and who brings what they name. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from oca.common.settings_schema import Table


class PlanTable(Table, frozen=True):
    """How tonight's fill is chosen."""

    at: Annotated[
        str,
        Meta(
            description="Local time of day at which plans are made.",
            pattern=r"\A([01]\d|2[0-3]):[0-5]\d\Z",
            extra={"form": "a time of day like 01:30"},
        ),
    ] = "01:30"
    half_life_days: Annotated[
        float,
        Meta(gt=0, le=365, description="Age at which a day's demand counts half.", extra={"unit": "days"}),
    ] = 3.0
    history_days: Annotated[
        int, Meta(ge=1, le=3650, description="Demand older than this is dropped.", extra={"unit": "days"})
    ] = 28
    fleet_weight: Annotated[
        float, Meta(ge=0, le=1, description="Share of fleet-wide demand added to a site's own, for thin history.")
    ] = 0.05
    capacity_ratio: Annotated[
        float, Meta(gt=0, le=1, description="Share of an appliance's capacity that a plan fills.")
    ] = 0.98
    fill_masters: Annotated[
        int,
        Meta(
            ge=1,
            le=1000,
            description="So many appliances of a site fetch an asset from other sites or the origin; the others wait "
            "for these and fetch from them.",
        ),
    ] = 1
    urgent_s: Annotated[
        float,
        Meta(
            ge=0,
            le=7 * 86400,
            description="So long before its release a planned title is urgent: appliances fetch it outside their fill "
            "windows too, until the next plan.",
            extra={"unit": "seconds"},
        ),
    ] = 4 * 3600.0
