"""The end of a growing file: what is in it, what is held back, and what takes memory."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from oca.common.errors import StoreError
from oca.store import files
from oca.store.pack import PAGE_BYTES
from oca.store.tail import STEP_BYTES, Tail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "part"


@pytest.fixture
def descriptor(path: Path) -> Iterator[int]:
    opened = files.open_write(path)
    yield opened
    files.close(opened)


def put(tail: Tail, data: bytes) -> None:
    while data:
        taken = data[: tail.room]
        tail.append(taken)
        data = data[len(taken) :]


def is_cached(descriptor: int, offset: int) -> bool:
    try:
        return os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT) == 1
    except BlockingIOError:
        return False


def test_tail_writes_whole_steps_and_holds_the_rest(descriptor: int, path: Path) -> None:
    body = os.urandom(3 * STEP_BYTES + 5)
    tail = Tail(descriptor, path)
    tail.go_to(0)
    put(tail, body)
    assert path.read_bytes() == body[: 3 * STEP_BYTES]
    assert tail.end == len(body)
    tail.settle()
    assert path.read_bytes() == body


def test_tail_takes_no_page_of_memory(descriptor: int, path: Path) -> None:
    tail = Tail(descriptor, path)
    tail.go_to(0)
    assert tail.is_direct, "tests need a file system that knows direct writes"
    put(tail, os.urandom(2 * STEP_BYTES))
    tail.settle()
    assert not is_cached(descriptor, 0)
    assert not is_cached(descriptor, STEP_BYTES)
    assert path.stat().st_size == 2 * STEP_BYTES


@pytest.mark.parametrize("end", [0, 1, PAGE_BYTES, PAGE_BYTES + 7, STEP_BYTES - 1, STEP_BYTES + 1])
def test_tail_goes_on_where_file_ends(descriptor: int, path: Path, end: int) -> None:
    body = os.urandom(end + STEP_BYTES)
    path.write_bytes(body[:end])
    tail = Tail(descriptor, path)
    for piece in (body[end : end + 10], body[end + 10 :]):
        tail.go_to(tail.end or end)
        put(tail, piece)
        tail.settle()
    assert path.read_bytes() == body


def test_tail_puts_zeros_before_what_begins_further_on(descriptor: int, path: Path) -> None:
    tail = Tail(descriptor, path)
    for start in (0, 2 * PAGE_BYTES, STEP_BYTES + PAGE_BYTES):
        tail.go_to(start)
        put(tail, b"x")
    tail.settle()
    wanted = bytearray(STEP_BYTES + PAGE_BYTES + 1)
    wanted[0] = wanted[2 * PAGE_BYTES] = wanted[-1] = ord("x")
    assert path.read_bytes() == wanted


@pytest.mark.parametrize("end", [0, PAGE_BYTES, STEP_BYTES, STEP_BYTES + PAGE_BYTES])
@pytest.mark.parametrize("length", [PAGE_BYTES + 9, 2 * STEP_BYTES - 1])
def test_tail_forgets_what_is_cut(descriptor: int, path: Path, end: int, length: int) -> None:
    body = os.urandom(length)
    path.write_bytes(b"old" * PAGE_BYTES)
    tail = Tail(descriptor, path)
    tail.cut(0)
    tail.go_to(0)
    put(tail, body)
    tail.cut(end := min(end, length // PAGE_BYTES * PAGE_BYTES))
    assert tail.end == end
    assert path.stat().st_size <= end
    tail.go_to(end)
    put(tail, b"new")
    tail.settle()
    assert path.read_bytes() == body[:end] + b"new"


def test_tail_goes_through_cache_where_device_wants_other_steps(
    descriptor: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite

    def aligned_otherwise(file: int, data: memoryview, offset: int) -> int:
        if fcntl.fcntl(file, fcntl.F_GETFL) & os.O_DIRECT:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return pwrite(file, data, offset)

    monkeypatch.setattr(os, "pwrite", aligned_otherwise)
    body = os.urandom(2 * STEP_BYTES)
    tail = Tail(descriptor, path)
    tail.go_to(0)
    put(tail, body)
    assert not tail.is_direct
    assert path.read_bytes() == body


def test_tail_keeps_what_device_did_not_take(descriptor: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = os.urandom(STEP_BYTES + 100)
    tail = Tail(descriptor, path)
    tail.go_to(0)
    put(tail, body[:100])

    def fail(_file: int, _data: memoryview, _offset: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as sick:
        sick.setattr(os, "pwrite", fail)
        with pytest.raises(StoreError, match="Input/output error"):
            tail.append(body[100:STEP_BYTES])
        assert tail.end == 100
        with pytest.raises(StoreError, match="Input/output error"):
            tail.settle()
    put(tail, body[100:])
    tail.settle()
    assert path.read_bytes() == body
