"""``oca serve``: reads the settings and runs the daemon."""

from __future__ import annotations

import os

from oca.common.command import RequiredConfigOption, SetOption
from oca.common.errors import OcaError
from oca.inheritance import Inheritance
from oca.settings import ApplianceSettings, load_settings


def serve(config: RequiredConfigOption, sets: SetOption = None) -> None:
    """Serve viewers until SIGTERM or Ctrl-C, then finish what is being sent."""

    def load() -> ApplianceSettings:
        return load_settings(config, sets or ())

    inheritance = Inheritance.claim(os.environ)
    try:
        settings = load()
        from oca.program import serve as run_daemon  # noqa: PLC0415 - settings that are wrong are told of before

        run_daemon(settings, load, inheritance)
    except OcaError as error:
        if inheritance.predecessor is not None:
            inheritance.predecessor.tell(str(error))
        raise
