from __future__ import annotations

import mmap
import os
import pickle
from collections.abc import Iterator

import numpy as np
import pytest

from steering.plan.common_memory import CommonMemory


@pytest.fixture
def memory() -> Iterator[CommonMemory]:
    memory = CommonMemory()
    yield memory
    memory.close()


def put(memory: CommonMemory, *columns: np.ndarray) -> list[tuple[int, int]]:
    """As they are pickled."""
    parts: list[tuple[int, int]] = []
    pickle.dumps(columns, protocol=5, buffer_callback=lambda each: parts.append(memory.put(each.raw())))
    return parts


def read(memory: CommonMemory, part: tuple[int, int], kind: type[np.generic]) -> list[float]:
    """As another process has it."""
    whole = memoryview(mmap.mmap(memory.descriptor, 0, prot=mmap.PROT_READ))
    found: list[float] = np.frombuffer(whole[part[0] : part[0] + part[1]], kind).tolist()
    return found


def test_column_made_in_common_memory_is_there_once(memory: CommonMemory) -> None:
    made = memory.column(10_000, np.float64), memory.column(10_000, np.int32)
    for column in made:
        column.append(np.arange(3))
        column.append(np.zeros(0))
        column.append(np.array([7, 8]))
    values, numbers = (column.whole() for column in made)
    assert (values.tolist(), numbers.tolist()) == ([0.0, 1.0, 2.0, 7.0, 8.0], [0, 1, 2, 7, 8])
    before = os.fstat(memory.descriptor).st_size
    parts = put(memory, values, numbers)
    assert os.fstat(memory.descriptor).st_size == before
    assert read(memory, parts[0], np.float64) == values.tolist()
    assert read(memory, parts[1], np.int32) == numbers.tolist()


def test_what_is_not_filled_takes_no_memory(memory: CommonMemory) -> None:
    column = memory.column(2**30, np.float64)
    column.append(np.ones(3))
    assert column.whole().tolist() == [1.0] * 3
    assert os.fstat(memory.descriptor).st_blocks * 512 < 2**23  # huge pages, where the machine gives them


def test_others_are_copied(memory: CommonMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the system takes less at once than it is given."""
    plain = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, raw, at: plain(file, raw[:7], at))
    values, none = np.arange(5.0), np.zeros(0)
    parts = put(memory, values, none)
    assert read(memory, parts[0], np.float64) == values.tolist()
    assert parts[1][1] == 0


def test_column_stays_after_its_memory_is_let_go_of() -> None:
    memory = CommonMemory()
    column = memory.column(3, np.float64)
    column.append(np.arange(3))
    found = column.whole()
    memory.close()
    assert found.tolist() == [0.0, 1.0, 2.0]


def test_column_of_nothing_is_empty(memory: CommonMemory) -> None:
    assert memory.column(0, np.int32).whole().tolist() == []
    assert memory.column(5, np.int32).whole().dtype == np.int32
