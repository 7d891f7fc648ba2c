"""Devices whose index is damaged, for the report's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from oca.store.index import Index


@pytest.fixture
def damage_packs_table() -> Callable[[Path], None]:
    """Puts an entry into a device's table of packs that is none."""

    def damage(device: Path) -> None:
        index = Index.open(device / "index", writable=True)
        with index._environment.begin(index._packs, write=True) as transaction:
            transaction.put(b"\0\0\0\1", b"\xc1")
        index.close()

    return damage
