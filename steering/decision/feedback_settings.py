"""Settings of what players' quality does to the weight of a path. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from oca.common.settings_schema import Table

_Ratio = Annotated[float, Meta(ge=0, le=1)]


class FeedbackTable(Table, frozen=True):
    """What becomes of what players tell (CMCD), summed by boxes over client networks: a path on which they starve gets
    fewer of them. A path is a box and the site that its viewers belong to.
    """

    enabled: Annotated[
        bool,
        Meta(
            description="Whether paths on which players starve are sent fewer viewers; boxes tell of it where their "
            "[delivery.cmcd] quality is on."
        ),
    ] = True
    prefixes_min: Annotated[
        int,
        Meta(ge=3, le=10_000, description="Client networks (/24, /48) that have to tell before a path is judged."),
    ] = 8
    requests_min: Annotated[
        int, Meta(ge=1, le=10**6, description="Requests of a network before it counts, within a quarter of an hour.")
    ] = 20
    starved_ratio_tolerated: Annotated[
        _Ratio, Meta(description="Share of starved requests that is no reason for anything.")
    ] = 0.02
    starved_ratio_full: Annotated[
        _Ratio,
        Meta(description="Share beyond what is tolerated, or usual on other paths, at which weight_min is reached."),
    ] = 0.1
    weight_min: Annotated[
        float, Meta(ge=0.1, le=1, description="Least share of its viewers that feedback leaves a path.")
    ] = 0.5

    def __post_init__(self) -> None:
        """Refuse a slope of nothing."""
        if self.starved_ratio_full <= 0:
            raise ValueError("starved_ratio_full is 0; raise it, or set enabled = false")
