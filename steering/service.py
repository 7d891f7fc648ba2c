"""The composition root of ``oca-steering serve``: state, decisions, intake, nightly plans, the API."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import datetime
from typing import cast

import uvloop
from aiohttp import web

from oca.common.addresses import parse_listen
from oca.common.clock import now_ns, utc_now
from oca.common.errors import ConfigError, OcaError
from oca.common.log import configure_logging, get_logger
from oca.common.tasks import Tasks
from oca.common.token import read_token
from steering.address import Trust
from steering.api import Views, steering_app
from steering.api_appliances import Appliances
from steering.api_page import page_routes
from steering.api_players import Players
from steering.authorisation import Authorisation
from steering.catalogue import Catalogue
from steering.connections import Connections, connections_limit
from steering.decision import Decider
from steering.intake import Intake
from steering.metrics import Counts
from steering.planner import last_planning, make_plans, next_planning, planned_at_ns
from steering.settings import SteeringSettings
from steering.state.embedded import open_state
from steering.state.store import StateStore

BACKLOG = 1024
CATALOGUE_INTERVAL_S = 0.25
STOP_S_MAX = 5.0
PLAN_LOOK_S = 60.0
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_log = get_logger("steering")


def serve(settings: SteeringSettings) -> None:
    """Serve until SIGTERM or SIGINT, answer what was asked, end.

    Raises:
        ConfigError: The state, a token or the address cannot be used.
    """
    configure_logging(level=settings.log.level, style=settings.log.format)
    state = open_state(settings.state)
    try:
        uvloop.run(_serve(settings, state))
    finally:
        state.close()


async def _serve(settings: SteeringSettings, state: StateStore) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service = Service(settings, state)
    await service.start()
    try:
        await stop.wait()
    finally:
        await service.stop()


class Service:
    """One running instance."""

    def __init__(self, settings: SteeringSettings, state: StateStore) -> None:
        """Put the parts together; nothing listens yet.

        Raises:
            ConfigError: A token file cannot be read.
        """
        self._settings = settings
        self._state = state
        self._tasks = Tasks()
        self._catalogue = Catalogue(state)
        self._counts = Counts()
        self.decider = Decider(settings, self._catalogue, self._counts)
        self._intake = Intake(state, known=lambda: self._catalogue.assets, now_ns=now_ns)
        trusted = Trust(settings.api.trusted_proxies)
        authorisation = Authorisation(
            self.decider.site_of, read_tokens(settings), Trust((*_LOOPBACK, *settings.api.open_to))
        )
        appliances = Appliances(self.decider, self._intake, state, authorisation)
        players = Players(self.decider, trusted)
        self.app = steering_app(
            [*Views(self.decider).routes(), *players.routes(), *appliances.routes(), *page_routes()]
        )
        self._runner = web.AppRunner(self.app, handle_signals=False, shutdown_timeout=STOP_S_MAX)
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: The address is taken or not ours.
        """
        endpoint = parse_listen(self._settings.api.listen, setting="api.listen")
        await self._runner.setup()
        connections = Connections(
            cast(web.Server, self._runner.server), self._counts, connections_limit(self._settings.api.connections_max)
        )
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                connections, endpoint.host, endpoint.port, backlog=BACKLOG
            )
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(
                f"[api] listen = {endpoint.authority!r}: {os.strerror(error.errno or 0).lower()}",
                remedy=f"see what holds it with 'ss -ltnp sport = {endpoint.port}', or set another [api] listen",
            ) from None
        self.start_work()
        _log.info(
            "serving",
            url=f"http://{endpoint.authority}",
            titles=len(self._catalogue.titles),
            appliances=sum(len(site.appliance) for site in self._settings.site),
        )

    def start_work(self) -> None:
        """Begin what goes on beside answering."""
        self._tasks.start(self._intake.run(), name="intake")
        self._tasks.start(self._follow_catalogue(), name="catalogue")
        self._tasks.start(self._plan_nightly(), name="nightly plans")

    async def stop(self) -> None:
        """Answer what was asked, then end."""
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()
        await self._tasks.close()
        _log.info("stopped")

    async def _follow_catalogue(self) -> None:
        """Take up what ``oca-steering publish`` writes beside us."""
        while True:
            await asyncio.sleep(CATALOGUE_INTERVAL_S)
            try:
                changed = self._catalogue.refresh()
            except Exception as error:  # noqa: BLE001 - the last catalogue is better than none
                _log.error("the catalogue cannot be read; going on with the last one", error=str(error))
                continue
            if changed:
                _log.info("catalogue changed", titles=len(self._catalogue.titles))

    async def _plan_nightly(self) -> None:
        """Plan at the set time of day; at once if that was missed while the service was down."""
        at = self._settings.plan.at
        # Without any plan, each fill is planned as it asks: there is nothing to catch up with.
        made_at_s = planned_at_ns(self._state) / 1e9 or now_ns() / 1e9
        while True:
            now = _local_now()
            if made_at_s < last_planning(at, now).timestamp():
                await self.plan_now()
                made_at_s = now.timestamp()
            await asyncio.sleep(min(PLAN_LOOK_S, (next_planning(at, now) - now).total_seconds()))

    async def plan_now(self) -> None:
        """Make and keep the plans; a failure is logged, and last night's plans stay."""
        try:
            plans = await asyncio.to_thread(make_plans, self._state, self._settings, now_ns=now_ns())
        except OcaError as error:
            _log.error("no plans were made tonight", error=error.message, remedy=error.remedy)
            return
        self._counts.add("steering_plans_made", len(plans))
        _log.info("plans made", appliances=len(plans))


def read_tokens(settings: SteeringSettings) -> dict[str, str]:
    """The token of each appliance that has one.

    Raises:
        ConfigError: A token file cannot be read, or holds no token.
    """
    return {
        appliance.id: read_token(appliance.token_file, setting=f"token_file of {appliance.id}")
        for site in settings.site
        for appliance in site.appliance
        if appliance.token_file
    }


def _local_now() -> datetime:
    return utc_now().astimezone()
