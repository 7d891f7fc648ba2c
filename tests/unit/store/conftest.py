"""Devices and stores for the store's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oca.store.store import Store


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """An empty device."""
    folder = tmp_path / "nvme0"
    folder.mkdir()
    return folder


@pytest.fixture
def make_device(tmp_path: Path) -> Callable[[str], Path]:
    """Makes further empty devices."""

    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        return folder

    return make


@pytest.fixture
def store(device: Path) -> Iterator[Store]:
    """A store on one empty device."""
    opened = Store.open([device])
    yield opened
    opened.close()
