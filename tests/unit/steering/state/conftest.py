"""A NATS server for all tests of a process, and states over it."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from steering.state.settings import NatsTable, StateTable
from tests.unit.steering.state.nats_server import NatsServer


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
