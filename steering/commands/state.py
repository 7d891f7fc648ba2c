"""``oca-steering state``: where the state is and how it stands; an engine seeded from what a folder holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from oca.common.clock import now_ns
from oca.common.command import EXIT_FAILED, ConfigOption, JsonOption, SetOption, print_json, print_line
from oca.common.errors import ConfigError, SteeringError
from steering.settings import load_settings
from steering.state.embedded import EmbeddedState
from steering.state.engine import open_instance, open_state
from steering.state.mirror import POSITION_KEY
from steering.state.store import StateStore
from steering.trust.audit import append
from steering.trust.local_actor import local_actor

BATCH_BYTES = 32 * 2**20
_OWN = (POSITION_KEY, "about/format")
"""What each folder has for itself."""
state_app = typer.Typer(help="Where the state is kept: in a folder, or shared by NATS.", no_args_is_help=True)


class Standing(Struct, frozen=True):
    """How the state stands; ``why``: what keeps this machine from the engine."""

    engine: str
    path: str
    instance: str
    connected: bool
    why: str
    keys: int
    bytes: int


@state_app.command("show")
def show(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Show where the state is, whether its engine is reached (fails if not), and how much is known here."""
    table = load_settings(config, sets or ()).state
    state, peers = open_instance(table, is_service=False)
    try:
        link = peers.link()
        sizes = [len(value) for _, value in state.scan("")]
    finally:
        state.close()
    row = Standing(
        table.engine, str(Path(table.path).absolute()), peers.instance, link.connected, link.why, len(sizes), sum(sizes)
    )
    if json:
        print_json(row)
    else:
        where = f"in {row.path}" if row.engine == "lmdb" else f"shared by NATS, this instance's copy in {row.path}"
        print_line(f"state of {row.instance}: {where}; {row.keys} keys, {row.bytes} bytes")
        if row.engine == "nats":
            print_line("the engine is reached" if row.connected else f"the engine is away: {row.why}")
    if not link.connected:
        raise SystemExit(EXIT_FAILED)


@state_app.command("seed")
def seed(
    source: Annotated[
        Path, typer.Option("--from", help="Folder of a state: of an instance alone, or an instance's copy.")
    ],
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Put all that a folder holds into the engine that the settings name, which must be empty.

    So an instance that was alone becomes the first of several, and an engine that lost everything gets it back.
    """
    if not (source / "data.mdb").is_file():
        raise ConfigError(f"--from {source}: there is no state in it", remedy="name the folder that state.path named")
    settings = load_settings(config, sets or ())
    if source.resolve() == Path(settings.state.path).resolve():
        raise ConfigError(
            f"--from {source} is state.path itself", remedy="set state.path to another folder, which may be new"
        )
    state = open_state(settings.state)
    kept = EmbeddedState.open(source, bytes_max=settings.state.bytes_max)
    try:
        _refuse_filled(state)
        with kept.reading() as reader:
            keys = _copy(reader.scan(""), state)
        with state.write() as transaction:
            append(transaction, local_actor(), "state seed", str(source), now_ns=now_ns())
    finally:
        kept.close()
        state.close()
    if json:
        print_json({"keys": keys})
    else:
        print_line(f"{keys} keys were put into the state; start the instances")


def _refuse_filled(state: StateStore) -> None:
    if any(key not in _OWN for key, _ in state.scan("")):
        raise SteeringError(
            "the state that the settings name is not empty, and stays as it is",
            remedy="give [state.nats] a new name, or a new folder to state.path, and seed that",
        )


def _copy(pairs: Iterator[tuple[str, bytes]], state: StateStore) -> int:
    """Write all pairs, many to a transaction; how many."""
    count = 0
    pair = next(pairs, None)
    while pair is not None:
        with state.write() as transaction:
            held = 0
            while pair is not None and held < BATCH_BYTES:
                if pair[0] not in _OWN:
                    transaction.put(*pair)
                    held, count = held + len(pair[1]), count + 1
                pair = next(pairs, None)
    return count
