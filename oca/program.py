"""``oca serve`` as a process: its log, its event loop, the signals it heeds. What it does is the daemon's."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import uvloop

from oca.common.log import configure_logging
from oca.common.memory import keep_one_heap
from oca.daemon import Daemon
from oca.delivery.supervisor import Supervisor
from oca.inheritance import Inheritance
from oca.report.inventory import Inventory
from oca.settings import ApplianceSettings


def serve(settings: ApplianceSettings, load: Callable[[], ApplianceSettings], inheritance: Inheritance) -> None:
    """Serve until SIGTERM or SIGINT, finish what is being sent, end. A second signal ends at once.

    SIGHUP takes up what ``load`` then reads; SIGUSR2 starts a new daemon that follows this one on its sockets.

    Raises:
        OcaError: The appliance cannot start; says why and what to do.
    """
    keep_one_heap()
    configure_logging(level=settings.log.level, style=settings.log.format, appliance=settings.appliance.id)
    uvloop.run(_serve(settings, load, inheritance))


async def _serve(settings: ApplianceSettings, load: Callable[[], ApplianceSettings], inheritance: Inheritance) -> None:
    inventory = Inventory(settings.store)
    supervisor = Supervisor(
        settings.delivery,
        [Path(device) for device in settings.store.devices],
        appliance=settings.appliance.id,
        log_level=settings.log.level,
        log_format=settings.log.format,
    )
    daemon = Daemon(settings, supervisor, inventory, load, inheritance)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop)
    loop.add_signal_handler(signal.SIGHUP, daemon.soon, daemon.reload)
    loop.add_signal_handler(signal.SIGUSR2, daemon.soon, daemon.upgrade)
    try:
        await daemon.run()
    finally:
        inventory.close()
