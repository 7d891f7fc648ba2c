"""``oca-steering serve``."""

from __future__ import annotations

from oca.common.command import RequiredConfigOption, SetOption
from steering.settings import load_settings


def serve(config: RequiredConfigOption, sets: SetOption = None) -> None:
    """Serve players, appliances and the page until SIGTERM or Ctrl-C."""
    settings = load_settings(config, sets or ())
    from steering.service import serve as run_service  # noqa: PLC0415 - settings that are wrong are told of before

    run_service(settings)
