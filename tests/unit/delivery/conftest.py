"""Stores with content, and services in front of them."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from oca.delivery.settings import DeliveryTable
from tests.unit.delivery.bench import CONTENT, Bench, Benches, store_of


@pytest.fixture(scope="session")
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store_of(tmp_path_factory.mktemp("delivery"), CONTENT)


@pytest.fixture
async def benches(device: Path) -> AsyncIterator[Benches]:
    """Makes benches with the settings given."""
    made: list[Bench] = []

    def make(*, on: Path = device, more: Sequence[Path] = (), **settings: Any) -> Bench:
        made.append(Bench(on, DeliveryTable(**settings), more))
        return made[-1]

    yield make
    for bench in made:
        await bench.close()
