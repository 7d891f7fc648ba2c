"""The appliance's settings: every table of ``appliance.toml``, each declared where it is used."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from oca.common import settings
from oca.common.addresses import parse_listen
from oca.common.box import AdminTable, ApplianceTable, SteeringTable, StoreTable
from oca.common.errors import ConfigError
from oca.common.log import LogTable
from oca.common.settings import Table
from oca.common.tracing_settings import TracingTable
from oca.delivery.settings import DeliveryTable
from oca.network.route_settings import RoutesTable
from oca.report.health_settings import HealthTable

PREFIX = "OCA"
INSTALLED = Path("/etc/oca/appliance.toml")
HEADING = """Settings of an appliance: oca serve --config appliance.toml
Each key is shown with its default. Any key can also be set by the environment, as OCA_TABLE__KEY, or by
--set table.key=value. 'oca config check FILE' checks a file, 'oca config explain KEY' tells about one key.
oca-fill reads who the box is, where it stores and where steering is from this file, too."""


class DrainTable(Table, frozen=True):
    """Taking the appliance out of service while viewers are moved or finish."""

    duration_s_max: Annotated[
        float,
        Meta(
            ge=0,
            le=7 * 86400,
            description="A drain that an operator began counts as done after this, viewers left or not.",
            extra={"unit": "seconds"},
        ),
    ] = 7200.0
    then: Annotated[
        Literal["serve", "not-found", "too-many", "redirect"],
        Meta(
            description="What viewers get from a box that is drained: serve (whoever still comes is served), not-found "
            "(404), too-many (429), redirect (to [delivery.miss] fallback_url). While it drains, all are served.",
        ),
    ] = "serve"


class ApplianceSettings(Table, frozen=True):
    """Everything ``oca`` reads."""

    appliance: ApplianceTable
    delivery: DeliveryTable = DeliveryTable()
    store: StoreTable = StoreTable()
    admin: AdminTable = AdminTable()
    steering: SteeringTable = SteeringTable()
    drain: DrainTable = DrainTable()
    health: HealthTable = HealthTable()
    routes: RoutesTable = RoutesTable()
    log: LogTable = LogTable()
    tracing: TracingTable = TracingTable()

    def __post_init__(self) -> None:
        """Refuse what each table allows but not together; the remedy follows the last semicolon."""
        try:
            admin = parse_listen(self.admin.listen, setting="admin.listen")
            listens = [parse_listen(text, setting="delivery.listen") for text in self.delivery.addresses]
        except ConfigError as error:
            raise ValueError(str(error)) from None
        if admin.port and admin in listens:
            raise ValueError(
                f"admin.listen = {self.admin.listen} is in delivery.listen too; give each a port of its own"
            )
        if len(set(listens)) < len(listens):
            raise ValueError("delivery.listen names an address twice; leave one of them out")
        fallback = self.delivery.miss.fallback_url
        if self.drain.then == "redirect" and not fallback:
            raise ValueError("drain.then redirect has nowhere to redirect to; set delivery.miss.fallback_url")
        own = {urlsplit(url).netloc for url in self.delivery.urls} | {listen.authority for listen in listens}
        if fallback and urlsplit(fallback).netloc in own:
            raise ValueError(f"delivery.miss.fallback_url = {fallback} is this box; name another server")


def load_settings(path: Path | None, sets: Sequence[str] = ()) -> ApplianceSettings:
    """The settings from ``path``, the environment and ``sets``.

    Raises:
        ConfigError: Naming file, key, value and limit.
    """
    return settings.load(ApplianceSettings, path, environment=os.environ, prefix=PREFIX, sets=sets, installed=INSTALLED)


class _AdminSettings(Table, frozen=True):
    """What a command needs to reach a running appliance."""

    admin: AdminTable = AdminTable()


def load_admin(path: Path | None, sets: Sequence[str] = ()) -> AdminTable:
    """The admin table alone, so that a command reaches the appliance whatever else is wrong in its file.

    Raises:
        ConfigError: Naming file, key, value and limit.
    """
    found = settings.load(
        _AdminSettings,
        path,
        environment=os.environ,
        prefix=PREFIX,
        sets=sets,
        only_known_tables=True,
        installed=INSTALLED,
    )
    return found.admin
