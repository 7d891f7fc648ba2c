"""``oca-steering config``: the settings of steering.toml."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oca.common.config_command import config_app
from steering.settings import HEADING, PREFIX, SteeringSettings, load_settings, taken_up


def _check_start(file: Path, sets: Sequence[str]) -> list[str]:
    from steering.routes.prefix_files import read_prefix_file  # noqa: PLC0415 - print and explain do without
    from steering.service import read_tokens  # noqa: PLC0415

    settings = load_settings(file, sets)
    read_tokens(settings)
    for site in settings.site:
        if site.prefix_file:
            read_prefix_file(site.prefix_file)
    return []


steering_config = config_app(
    SteeringSettings, prefix=PREFIX, heading=HEADING, check_start=_check_start, taken_up=taken_up
)
