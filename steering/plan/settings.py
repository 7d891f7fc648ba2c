"""The settings of plans: when they are made, of what, and who brings what they name. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

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
    ] = 2.0
    history_days: Annotated[
        int, Meta(ge=1, le=3650, description="Demand older than this is dropped.", extra={"unit": "days"})
    ] = 28
    fleet_days: Annotated[
        float,
        Meta(
            ge=0,
            le=365,
            description="What the fleet watches counts as so many days of a site's own demand; fades as those come in.",
            extra={"unit": "days"},
        ),
    ] = 0.5
    payback_days: Annotated[
        float,
        Meta(
            gt=0,
            le=365,
            description="An asset drives out another only if it is expected to serve its own bytes more than that one "
            "would within this time.",
            extra={"unit": "days"},
        ),
    ] = 2.0
    nightly_ratio: Annotated[
        float,
        Meta(
            gt=0,
            le=1,
            description="Share of a site's space that a night may replace, on average, also from box to box; quiet "
            "nights save for others, up to 14. Free space does not count.",
        ),
    ] = 0.048
    hot_share: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="The most watched assets that make up this share of a site's expected bytes lie on two boxes.",
        ),
    ] = 0.2
    ladders: Annotated[
        Literal["popular", "whole"],
        Meta(
            description="popular: each rendition by its own demand. whole: those of a title rank alike, by the demand "
            "of all."
        ),
    ] = "popular"
    pinned: Annotated[
        tuple[str, ...],
        Meta(description="Assets or titles held before others, as rights allow.", max_length=10_000),
    ] = ()
    banned: Annotated[
        tuple[str, ...],
        Meta(
            description="Assets or titles never planned. What boxes hold of them gives way as space is needed; "
            "'oca store remove' on a box removes it at once.",
            max_length=10_000,
        ),
    ] = ()
    processes: Annotated[
        int,
        Meta(
            ge=0,
            le=64,
            description="So many processes plan the sites of a night side by side, with some 0.3 GB each beside what "
            "they share; 1: none of their own. 0: one for each processor and 100 sites, 4 at most.",
        ),
    ] = 0
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
    live_copies: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="A title is shown as live once so many appliances that are up hold each of its assets.",
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
