"""Opens the state on the engine that the settings name."""

from __future__ import annotations

import platform
import secrets
from pathlib import Path

from steering.state.embedded import EmbeddedState
from steering.state.peers import Alone, Peers
from steering.state.settings import StateTable
from steering.state.shared import Identity, SharedState
from steering.state.store import StateStore


def open_state(table: StateTable) -> StateStore:
    """The state, for a command.

    Raises:
        ConfigError: It cannot be opened, or a file that the settings name cannot be used.
    """
    return _shared(table, is_service=False) if table.engine == "nats" else _embedded(table)


def open_instance(table: StateTable) -> tuple[StateStore, Peers]:
    """The state, and the other instances, for one of them.

    Raises:
        ConfigError: It cannot be opened, or a file that the settings name cannot be used.
    """
    if table.engine == "nats":
        shared = _shared(table, is_service=True)
        return shared, shared.peers
    return _embedded(table), Alone(_instance(table))


def _embedded(table: StateTable) -> StateStore:
    return EmbeddedState.open(Path(table.path), bytes_max=table.bytes_max)


def _shared(table: StateTable, *, is_service: bool) -> SharedState:
    who = Identity(_instance(table), secrets.token_hex(6), is_service)
    return SharedState.open(table, who, secrets.SystemRandom().random)


def _instance(table: StateTable) -> str:
    return table.instance or platform.node() or "here"
