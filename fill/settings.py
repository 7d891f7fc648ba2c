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

from fill.s3 import Bucket
from fill.tables import (
    WEEKDAYS,
    BoxTable,
    BudgetTable,
    BusyTable,
    DayWindowTable,
    FillTable,
    LadderTable,
    S3Table,
    Weekday,
    WindowTable,
)
from fill.window import Blackout, Span, Window, parse_blackout, parse_wall_time
from oca.common import settings
from oca.common.box import Box
from oca.common.errors import ConfigError
from oca.common.identity import Credentials
from oca.common.log import LogTable, configure_logging
from oca.common.owner import become_owner
from oca.common.settings import Table
from oca.common.token import read_token
from oca.store.presence import absent_devices

PREFIX = "OCAFILL"
INSTALLED = Path("/etc/oca/fill.toml")
HEADING = """Settings of the fill agent, oca-fill.
Each key is shown with its default. Who the box is, where it stores and where steering is stand in appliance.toml."""

MACHINE_ZONE = Path("/etc/localtime")


class FillSettings(Table, frozen=True):
    """What ``fill.toml`` holds."""

    box: BoxTable = BoxTable()
    fill: FillTable = FillTable()
    window: WindowTable = WindowTable()
    day_window: Annotated[tuple[DayWindowTable, ...], Meta(max_length=50)] = ()
    s3: Annotated[tuple[S3Table, ...], Meta(max_length=20)] = ()
    ladder: LadderTable = LadderTable()
    budget: BudgetTable = BudgetTable()
    busy: BusyTable = BusyTable()
    log: LogTable = LogTable()


class Configuration(msgspec.Struct, frozen=True):
    """Everything a command of the agent needs to know."""

    own: FillSettings
    box: Box
    window: Window
    devices: tuple[Path, ...]
    credentials: Credentials
    buckets: tuple[Bucket, ...] = ()


def load(path: Path | None, sets: Sequence[str]) -> Configuration:
    """Read fill.toml, the installed one if ``path`` is None, and the appliance.toml that it names.

    Raises:
        ConfigError: A file, key, value, the token file or the identity is wrong.
    """
    own = settings.load(FillSettings, path, environment=os.environ, prefix=PREFIX, sets=sets, installed=INSTALLED)
    box_path = (path or INSTALLED).parent / own.box.config
    if path is None and not settings.is_there(box_path):
        raise ConfigError(
            f"{box_path} is not there, and no --config is given",
            remedy="write that file with 'oca init', or name fill.toml with --config",
        )
    box = settings.load(Box, box_path, environment=os.environ, prefix="OCA", only_known_tables=True)
    if not box.steering.url:
        raise ConfigError(
            f"{box_path}: steering.url is empty, so there is nobody to ask for a fill plan",
            remedy="set url under [steering], or fill by hand with 'oca store import'",
        )
    devices = tuple(Path(device) for device in box.store.devices)
    credentials = Credentials(box.steering, box.appliance.id)
    buckets = tuple(map(_bucket, own.s3))
    return Configuration(
        buckets=buckets, own=own, box=box, window=read_window(own), devices=devices, credentials=credentials
    )


def load_for_command(path: Path | None, sets: Sequence[str] | None) -> Configuration:
    """The same, for a command that uses the devices: root goes on as their folders' owner.

    Raises:
        ConfigError: As ``load``.
    """
    configuration = load(path, sets or ())
    become_owner(*configuration.devices)
    return configuration


def start_logging(configuration: Configuration) -> None:
    """Log as the settings say."""
    log = configuration.own.log
    configure_logging(level=log.level, style=log.format, appliance=configuration.box.appliance.id)


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


def _bucket(table: S3Table) -> Bucket:
    setting = "s3.credentials_file"
    key_id, colon, secret = read_token(table.credentials_file, setting=setting).partition(":")
    if not (key_id and colon and secret):
        raise ConfigError(
            f"{setting} = {table.credentials_file!r}: has no colon between access key id and secret access key",
            remedy="write both into one line, as in AKIA…:secret",
        )
    return Bucket(table.url.rstrip("/"), table.region, key_id, secret)


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


def taken_up(_key: str) -> str:
    """When a changed setting counts."""
    return "at the next run; with --forever, after a restart"
