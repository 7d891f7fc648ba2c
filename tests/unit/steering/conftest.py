"""State and packaged folders for the tests of steering."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from tests.unit.steering import made_up
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_settings, write_package


@pytest.fixture(autouse=True)
def _history_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_up, "history_path", str(tmp_path / "history"))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[EmbeddedState]:
    """An empty state."""
    opened = EmbeddedState.open(tmp_path / "state", bytes_max=2**26)
    yield opened
    opened.close()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A packaged title."""
    return write_package(tmp_path / "harbour")


@pytest.fixture
def settings() -> SteeringSettings:
    """Two sites, three appliances, an origin."""
    return make_settings()


@pytest.fixture
async def steering(state: EmbeddedState, settings: SteeringSettings) -> AsyncIterator[Steering]:
    """A running service."""
    async with Steering(state, settings) as running:
        yield running
