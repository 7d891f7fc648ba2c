"""``oca config``: the settings of appliance.toml."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oca.changes import taken_up
from oca.common.config_command import config_app
from oca.common.identity import Credentials
from oca.settings import HEADING, PREFIX, ApplianceSettings, load_settings
from oca.signing import read_keys_file
from oca.store.presence import absent_devices


def _check_start(file: Path, sets: Sequence[str]) -> list[str]:
    settings = load_settings(file, sets)
    if settings.steering.url:
        Credentials(settings.steering, settings.appliance.id)
    read_keys_file(settings.delivery.authorisation.keys_file)
    from oca.delivery.tls_keeper import check as check_tls  # noqa: PLC0415 - print and explain do without it

    return [*check_tls(settings.delivery.tls), *absent_devices(settings.store.devices)]


oca_config = config_app(ApplianceSettings, prefix=PREFIX, heading=HEADING, check_start=_check_start, taken_up=taken_up)
