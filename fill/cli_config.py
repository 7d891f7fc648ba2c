"""``oca-fill config``: the settings of fill.toml."""

from __future__ import annotations

from fill.settings import HEADING, PREFIX, FillSettings, check_start, taken_up
from oca.common.config_command import config_app

fill_config = config_app(FillSettings, prefix=PREFIX, heading=HEADING, check_start=check_start, taken_up=taken_up)
