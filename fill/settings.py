"""The settings of the fill agent, declared once. Who the box is and where it stores is read from appliance.toml."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from fill.window import Window, parse_wall_time
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


class BoxTable(Table, frozen=True):
    """Where the settings of the box are, which the daemon and the fill agent share."""

    config: Annotated[
        str, Meta(min_length=1, description="The appliance's settings file; a relative path starts at this file.")
    ] = "appliance.toml"


class WindowTable(Table, frozen=True):
    """The fill window: hours in which few people watch."""

    start: Annotated[WallTime, Meta(description="Opens at this wall-clock time.")] = "02:00"
    end: Annotated[
        WallTime,
        Meta(description="Closes at this wall-clock time; before start: on the next day; as start: never."),
    ] = "14:00"
    time_zone: Annotated[
        str, Meta(max_length=80, description="Time zone of both, as in Europe/Berlin; empty: that of the machine.")
    ] = ""


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


class FillSettings(Table, frozen=True):
    """What ``fill.toml`` holds."""

    box: BoxTable = BoxTable()
    fill: FillTable = FillTable()
    window: WindowTable = WindowTable()
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
    window = Window(
        start=parse_wall_time(own.window.start),
        end=parse_wall_time(own.window.end),
        zone=read_zone(own.window.time_zone),
    )
    token = read_token(box.steering.token_file, setting="steering.token_file")
    return Configuration(own=own, box=box, window=window, devices=devices, token=token)


def check_start(path: Path, sets: Sequence[str]) -> list[str]:
    """What the agent would start without.

    Raises:
        ConfigError: As ``load``, or no device is there.
    """
    return absent_devices(load(path, sets).box.store.devices)


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
