"""Opens the state on the engine that the settings name."""

from __future__ import annotations

import platform
import secrets
from pathlib import Path

from oca.common.command import print_error
from oca.common.errors import ConfigError
from oca.common.owner import become_owner
from steering.state.embedded import EmbeddedState
from steering.state.mirror import POSITION_KEY
from steering.state.peers import Alone, Peers
from steering.state.settings import StateTable
from steering.state.store import StateStore


def open_state(table: StateTable) -> StateStore:
    """The state, for a command; that an engine is away is said on standard error.

    Raises:
        ConfigError: It cannot be opened, or a file that the settings name cannot be used.
    """
    state, peers = open_instance(table, is_service=False)
    if not (link := peers.link()).connected:
        print_error(f"oca-steering: the shared state is away, and this is what is known here: {link.why}")
    return state


def open_instance(table: StateTable, *, is_service: bool = True) -> tuple[StateStore, Peers]:
    """The state, and the other instances, of which a command hears nothing.

    Where root gives a command, that goes on as the owner of the state's folder. The service stays who it is: it has yet
    to bind its port and to read its tokens.

    Raises:
        ConfigError: It cannot be opened, or a file that the settings name cannot be used.
    """
    if not is_service:
        become_owner(Path(table.path))
    if table.engine == "nats":
        from steering.state.shared import Identity, SharedState  # noqa: PLC0415 - loads a client, not needed without

        who = Identity(_instance(table), secrets.token_hex(6), is_service)
        shared = SharedState.open(table, who, secrets.SystemRandom().random)
        return shared, shared.peers
    state = EmbeddedState.open(Path(table.path), bytes_max=table.bytes_max)
    if state.get(POSITION_KEY) is not None:
        state.close()
        raise ConfigError(
            f"state.path = {table.path!r} is an instance's copy of a shared state: what is written here, nobody learns",
            remedy='give --config with the settings of that instance, which say [state] engine = "nats"',
        )
    return state, Alone(_instance(table))


def _instance(table: StateTable) -> str:
    return table.instance or platform.node() or "here"
