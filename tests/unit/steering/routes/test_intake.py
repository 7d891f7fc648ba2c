from __future__ import annotations

import gc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from weakref import ref

import pytest

from steering.cycles import Cycles
from steering.metrics import Counts
from steering.routes.intake import RouteIntake


class Knot:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def _cycles() -> Iterator[None]:
    made = Cycles()
    made.begin()
    yield
    made.end()


@pytest.mark.usefixtures("_cycles")
@pytest.mark.parametrize("fault", ["", "not the batch that follows"])
async def test_batches_leave_garbage_for_the_next_look(fault: str) -> None:
    reach: Any = SimpleNamespace(take=lambda appliance, batch: iter([fault]), heard={})
    decider: Any = SimpleNamespace(reach=reach, counts=Counts())
    gone, count = ref(Knot()), gc.get_count()[0]
    batch: Any = SimpleNamespace(ends=False)
    assert await RouteIntake(decider).take("metro-a", batch) == fault
    assert gc.get_count()[0] >= count
    gc.collect()
    assert gone() is None
