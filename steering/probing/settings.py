"""Settings of probes and of what observers have to agree on. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from oca.common.settings_schema import Table


class ProbesTable(Table, frozen=True):
    """Probes of each appliance's delivery port: a published object is fetched as a player would, its digest checked.

    Every instance probes and votes; an appliance is out only while enough of them cannot reach it.
    """

    interval_s: Annotated[
        float,
        Meta(ge=0, le=3600, description="Between two probes of an appliance; 0: no probes.", extra={"unit": "seconds"}),
    ] = 10.0
    timeout_s: Annotated[
        float, Meta(gt=0, le=60, description="How long a probe may take in all.", extra={"unit": "seconds"})
    ] = 2.0
    retry_s: Annotated[
        float,
        Meta(gt=0, le=3600, description="Until the next probe after one that failed.", extra={"unit": "seconds"}),
    ] = 1.0
    failures_needed: Annotated[
        int, Meta(ge=1, le=100, description="Probes in a row that fail before an instance votes against an appliance.")
    ] = 3
    successes_needed: Annotated[
        int, Meta(ge=1, le=100, description="Probes in a row that succeed before it no longer does.")
    ] = 2
    concurrency_max: Annotated[int, Meta(ge=1, le=10_000, description="Probes under way at once, of one instance.")] = (
        256
    )
    agree_ratio: Annotated[
        float,
        Meta(
            ge=0,
            lt=1,
            description="An appliance is out when more than this share of the instances that vote are against it.",
        ),
    ] = 0.5
    isolated_ratio: Annotated[
        float,
        Meta(
            gt=0,
            le=1,
            description="An instance that cannot reach more than this share of the appliances whose reports come "
            "takes itself for cut off and does not vote; 1: it always votes.",
        ),
    ] = 0.5
    ca_file: Annotated[
        str,
        Meta(description="PEM file of authorities that appliances' certificates are checked by; empty: the system's."),
    ] = ""
