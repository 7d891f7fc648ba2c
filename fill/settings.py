"""The settings of the fill agent, declared once. Who the box is and where it stores is read from appliance.toml."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from fill.window import Blackout, Span, Window, parse_blackout, parse_wall_time
from oca.common import settings
from oca.common.box import Box
from oca.common.errors import ConfigError
from oca.common.log import LogTable
from oca.common.settings import Table
from oca.common.token import read_token
from oca.store.presence import absent_devices

PREFIX = "OCAFILL"
HEADING = """Settings of the fill agent, oca-fill.
Each key is shown with its default. Who the box is, where it stores and where steering is stand in appliance.toml."""

MACHINE_ZONE = Path("/etc/localtime")
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
            "source; a kill costs at most one object of each.",
        ),
    ] = 1
    rate_bytes_per_s_max: Annotated[
        int,
        Meta(ge=0, le=2**40, description="Cap on all fetching together; 0: none.", extra={"unit": "bytes per second"}),
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


class LadderTable(Table, frozen=True):
    """From whom an asset is fetched: peers of the cluster, then other clusters (tier), then the origin. Steering
    names a few appliances of a cluster an asset's fill masters; the others wait for these to bring it.
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
            description="Then so long for another cluster to have it, before the origin is asked; masters, too.",
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


class FillSettings(Table, frozen=True):
    """What ``fill.toml`` holds."""

    box: BoxTable = BoxTable()
    fill: FillTable = FillTable()
    window: WindowTable = WindowTable()
    day_window: Annotated[tuple[DayWindowTable, ...], Meta(max_length=50)] = ()
    ladder: LadderTable = LadderTable()
    busy: BusyTable = BusyTable()
    log: LogTable = LogTable()


class Configuration(msgspec.Struct, frozen=True):
    """Everything a command of the agent needs to know."""

    own: FillSettings
    box: Box
    window: Window
    devices: tuple[Path, ...]
    token: str


def load(path: Path | None, sets: Sequence[str]) -> Configuration:
    """Read fill.toml and the appliance.toml that it names.

    Raises:
        ConfigError: A file, key, value or the token file is wrong.
    """
    own = settings.load(FillSettings, path, environment=os.environ, prefix=PREFIX, sets=sets)
    box_path = (path.parent if path is not None else Path()) / own.box.config
    box = settings.load(Box, box_path, environment=os.environ, prefix="OCA", only_known_tables=True)
    if not box.steering.url:
        raise ConfigError(
            f"{box_path}: steering.url is empty, so there is nobody to ask for a fill plan",
            remedy="set url under [steering], or fill by hand with 'oca store import'",
        )
    devices = tuple(Path(device) for device in box.store.devices)
    token = read_token(box.steering.token_file, setting="steering.token_file")
    return Configuration(own=own, box=box, window=read_window(own), devices=devices, token=token)


def check_start(path: Path, sets: Sequence[str]) -> list[str]:
    """What the agent would start without.

    Raises:
        ConfigError: As ``load``, or no device is there.
    """
    return absent_devices(load(path, sets).box.store.devices)


def read_window(own: FillSettings) -> Window:
    """The windows of the week.

    Raises:
        ConfigError: A date or the time zone is none.
    """
    table = own.window
    usual = Span(parse_wall_time(table.start), parse_wall_time(table.end), table.rate_bytes_per_s_max)
    own_days: dict[Weekday, list[Span]] = {}
    for entry in own.day_window:
        span = Span(parse_wall_time(entry.start), parse_wall_time(entry.end), entry.rate_bytes_per_s_max)
        for day in entry.days:
            own_days.setdefault(day, []).append(span)
    days = tuple(tuple(own_days.get(day, [usual] if day in table.days else [])) for day in WEEKDAYS)
    if not any(days):
        raise ConfigError("window.days is empty, so no window ever opens", remedy="name a day, or add a [[day_window]]")
    return Window(days=days, zone=read_zone(table.time_zone), blackouts=tuple(map(_blackout, table.blackout_dates)))


def _blackout(text: str) -> Blackout:
    try:
        return parse_blackout(text)
    except ValueError as error:
        raise ConfigError(
            f"window.blackout_dates: {text}: {error}", remedy="give dates of the calendar, the first one first"
        ) from None


def read_zone(name: str, *, machine_zone: Path = MACHINE_ZONE) -> tzinfo:
    """The time zone of that name; for the empty name the machine's, and UTC on a machine that has none.

    Raises:
        ConfigError: The machine knows no such zone.
    """
    try:
        if name:
            return ZoneInfo(name)
        with machine_zone.open("rb") as file:
            return ZoneInfo.from_file(file, key="local")
    except FileNotFoundError:
        return UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"window.time_zone = {name!r}: this machine knows no such time zone",
            remedy="name one as in Europe/Berlin; the package tzdata brings them",
        ) from None
