"""The tables of ``fill.toml``, each declared once. Pure; ``fill.settings`` reads and checks them."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from msgspec import Meta

from oca.common.messages import BaseUrl
from oca.common.settings_schema import Table

WallTime = Annotated[
    str, Meta(pattern=r"\A([01][0-9]|2[0-3]):[0-5][0-9]\Z", extra={"form": "a time of day, 00:00 to 23:59"})
]


Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
Dates = Annotated[
    str,
    Meta(
        pattern=r"\A\d{4}-\d{2}-\d{2}(/\d{4}-\d{2}-\d{2})?\Z",
        extra={"form": "a date like 2026-12-24, or two like 2026-12-24/2027-01-01"},
    ),
]
WindowRate = Annotated[
    int,
    Meta(
        ge=0,
        le=2**40,
        description="Cap on all fetching while this window is open; 0: fill.rate_bytes_per_s_max.",
        extra={"unit": "bytes per second"},
    ),
]


class BoxTable(Table, frozen=True):
    """Where the settings of the box are, which the daemon and the fill agent share."""

    config: Annotated[
        str, Meta(min_length=1, description="The appliance's settings file; a relative path starts at this file.")
    ] = "appliance.toml"


class WindowTable(Table, frozen=True):
    """The fill window: hours in which few people watch. Outside it only what the plan marks urgent is fetched."""

    start: Annotated[WallTime, Meta(description="Opens at this wall-clock time.")] = "02:00"
    end: Annotated[
        WallTime,
        Meta(description="Closes at this wall-clock time; before start: on the next day; as start: 24 hours later."),
    ] = "14:00"
    days: Annotated[
        tuple[Weekday, ...],
        Meta(max_length=7, description="Days on which it opens, unless a [[day_window]] names them."),
    ] = WEEKDAYS
    rate_bytes_per_s_max: WindowRate = 0
    time_zone: Annotated[
        str,
        Meta(max_length=80, description="Time zone of all windows, as in Europe/Berlin; empty: that of the machine."),
    ] = ""
    blackout_dates: Annotated[
        tuple[Dates, ...],
        Meta(
            max_length=100,
            description="Dates on which nothing is filled from midnight to midnight, whatever is urgent: single ones, "
            "or first and last with a slash between.",
        ),
    ] = ()


class DayWindowTable(Table, frozen=True):
    """A window of certain days, in place of [window]'s; give several for several windows a day."""

    days: Annotated[
        tuple[Weekday, ...],
        Meta(min_length=1, max_length=7, description="Days on which it opens.", examples=[("saturday", "sunday")]),
    ]
    start: Annotated[WallTime, Meta(description="Opens at this wall-clock time.", examples=["03:00"])]
    end: Annotated[WallTime, Meta(description="Closes, as for [window].", examples=["10:00"])]
    rate_bytes_per_s_max: WindowRate = 0


class FillTable(Table, frozen=True):
    """How assets are fetched."""

    parallel_assets: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Assets fetched side by side, the objects of each in order. More hide the latency of a far "
            "source; a kill costs little more than an object of each.",
        ),
    ] = 1
    rate_bytes_per_s_max: Annotated[
        int,
        Meta(ge=0, le=2**40, description="Cap on all fetching together; 0: none.", extra={"unit": "bytes per second"}),
    ] = 0
    night_bytes_max: Annotated[
        int,
        Meta(
            ge=0,
            le=2**60,
            description="Cap on what is fetched in a night, from the opening of a window to its end; what is urgent "
            "and 'run --now' count, too. Outside a window, or where it never closes, in a day. 0: none.",
            extra={"unit": "bytes"},
        ),
    ] = 0
    source_rate_bytes_per_s_max: Annotated[
        int,
        Meta(
            ge=0,
            le=2**40,
            description="Cap on what is fetched from any one source; 0: none.",
            extra={"unit": "bytes per second"},
        ),
    ] = 0
    connect_timeout_s: Annotated[
        float,
        Meta(gt=0, le=300, description="A source that takes longer to connect is left.", extra={"unit": "seconds"}),
    ] = 5.0
    stall_timeout_s: Annotated[
        float,
        Meta(gt=0, le=600, description="A source that sends nothing for so long is left.", extra={"unit": "seconds"}),
    ] = 10.0
    source_rate_bytes_per_s_min: Annotated[
        int,
        Meta(
            ge=0,
            le=2**40,
            description="A source slower than this over a whole stall_timeout_s is left; 0: none is too slow.",
            extra={"unit": "bytes per second"},
        ),
    ] = 16_384
    rounds_max: Annotated[
        int,
        Meta(
            ge=1,
            le=100,
            description="Rounds over an asset's sources that bring no object before it is given up for this fill.",
        ),
    ] = 4
    backoff_s: Annotated[
        float,
        Meta(
            gt=0, le=60, description="Wait before the second round; doubles with each round.", extra={"unit": "seconds"}
        ),
    ] = 0.5
    backoff_s_max: Annotated[
        float, Meta(gt=0, le=3600, description="Longest wait between rounds or attempts.", extra={"unit": "seconds"})
    ] = 30.0
    progress_interval_s: Annotated[
        float, Meta(ge=0.1, le=60, description="How often steering is told of progress.", extra={"unit": "seconds"})
    ] = 1.0
    replan_interval_s: Annotated[
        float,
        Meta(
            ge=1,
            le=86_400,
            description="With --forever: how long after a finished fill the plan is asked for again in the window.",
            extra={"unit": "seconds"},
        ),
    ] = 900.0


class S3Table(Table, frozen=True):
    """A private S3 bucket that assets come from: requests below its url are signed (Signature Version 4)."""

    url: Annotated[
        BaseUrl,
        Meta(
            description="Base URL, with the bucket's name in host or path; what steering names as origin begins so.",
            examples=["https://films.s3.example.com"],
        ),
    ]
    region: Annotated[
        str,
        Meta(
            pattern=r"\A[a-z0-9-]{1,40}\Z",
            description="The region that signatures name.",
            extra={"form": "a region like eu-central-1"},
            examples=["eu-central-1"],
        ),
    ]
    credentials_file: Annotated[
        str,
        Meta(
            min_length=1,
            description="File with one line, access key id and secret access key with a colon between; keep it from "
            "other users.",
            examples=["/etc/oca/s3-films"],
        ),
    ]


class LadderTable(Table, frozen=True):
    """From whom an asset is fetched: peers of the site, then other sites (tier), then the origin. Steering
    names a few appliances of a site an asset's fill masters; the others wait for these to bring it.
    """

    peer_wait_s: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="An appliance that is not the asset's master waits so long for a peer to have it.",
            extra={"unit": "seconds"},
        ),
    ] = 1800.0
    tier_wait_s: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="Then so long for another site to have it, before the origin is asked; masters, too.",
            extra={"unit": "seconds"},
        ),
    ] = 0.0
    look_interval_s: Annotated[
        float,
        Meta(
            ge=0.1,
            le=3600,
            description="How often an asset that waits is looked at again, at most; less often where many wait.",
            extra={"unit": "seconds"},
        ),
    ] = 5.0
    fault_half_life_s: Annotated[
        float,
        Meta(
            gt=0,
            le=86_400,
            description="A source that failed or was slow goes behind others of its step; after so long that counts "
            "half.",
            extra={"unit": "seconds"},
        ),
    ] = 600.0
    slow_answer_s: Annotated[
        float,
        Meta(
            gt=0,
            le=600,
            description="A source that takes longer to begin an answer is slow.",
            extra={"unit": "seconds"},
        ),
    ] = 2.0


class BudgetTable(Table, frozen=True):
    """For networks where every byte costs: fetch only what should be served more than it costs."""

    efficiency_min: Annotated[
        float,
        Meta(
            ge=0,
            le=1000,
            description="Least bytes expected to be served ÷ bytes to fetch; what promises less is left out and listed "
            "with its numbers. What is held and what is not released yet stays. 0: everything is worth it.",
        ),
    ] = 0.0
    days: Annotated[
        float,
        Meta(gt=0, le=365, description="Days over which an asset is expected to be served.", extra={"unit": "days"}),
    ] = 7.0


class BusyTable(Table, frozen=True):
    """Viewers come first: while the box serves, a fill slows down from the first ratio on and stands still at the
    second, by the most pressed of processors and links, as the daemon's own status tells it.
    """

    serving_bytes_per_s_min: Annotated[
        int,
        Meta(
            ge=0,
            le=2**40,
            description="A box that sends less than this is not busy, whatever else its processors do.",
            extra={"unit": "bytes per second"},
        ),
    ] = 1_000_000
    cpu_ratio_slow: Annotated[float, Meta(ge=0, le=1, description="Processors busy to this share slow the fill.")] = 0.7
    cpu_ratio_stop: Annotated[
        float, Meta(ge=0, le=1.01, description="Processors busy to this share stop it; 1.01: never.")
    ] = 0.95
    link_ratio_slow: Annotated[
        float, Meta(ge=0, le=1, description="Links sending at this share of their speed slow the fill.")
    ] = 0.7
    link_ratio_stop: Annotated[
        float, Meta(ge=0, le=1.01, description="Links sending at this share stop it; 1.01: never.")
    ] = 0.95
