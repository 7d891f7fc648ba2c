"""A NATS server for all tests of a process, and states over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from steering.state.engine import open_state
from steering.state.settings import NatsTable, StateTable
from steering.state.store import StateStore
from tests.unit.steering.state.nats_server import NatsServer

Opener = Callable[[Path], StateStore]
"""Opens an engine over what it kept in a folder; opened again, it has all that was committed."""
ENGINES = ("lmdb", "nats")


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    yield server
    server.kill()


def name_of(folder: Path) -> str:
    """What a test's streams are called: as its folder, no other's are."""
    return sha256(str(folder).encode()).hexdigest()[:16]


def nats_table(server: NatsServer, copy: Path, *, name: str, instance: str = "") -> StateTable:
    """Settings of an instance with its copy in the folder ``copy``."""
    nats = NatsTable(urls=(server.url,), name=name, replicas=1)
    return StateTable(engine="nats", path=str(copy), bytes_max=2**26, instance=instance, nats=nats)


@pytest.fixture(params=ENGINES)
def opener(request: pytest.FixtureRequest) -> Opener:
    """Each engine in its turn."""
    if request.param == "lmdb":
        return lambda folder: open_state(StateTable(path=str(folder / "state"), bytes_max=2**26))
    nats = request.getfixturevalue("nats")
    times = count()

    def opened(folder: Path) -> StateStore:
        """Now by one instance, now by another, whose copy is behind."""
        return open_state(nats_table(nats, folder / f"copy{next(times) % 2}", name=name_of(folder)))

    return opened
