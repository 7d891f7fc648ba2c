"""The settings and the state, as commands open them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from steering.settings import SteeringSettings, load_settings
from steering.state.engine import open_state
from steering.state.store import StateStore


@contextmanager
def opened(config: Path | None, sets: list[str] | None) -> Iterator[tuple[SteeringSettings, StateStore]]:
    """Both, for the length of the block.

    Raises:
        ConfigError: The settings are wrong, or the state cannot be opened.
    """
    settings = load_settings(config, sets or ())
    state = open_state(settings.state)
    try:
        yield settings, state
    finally:
        state.close()
