"""A damaged LMDB file is told as a reason, where LMDB itself would end the process."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import lmdb
import pytest

from oca.common import lmdb_pages
from oca.common.lmdb_pages import damage

PAGE = 4096


def reason(folder: Path, *, spoil: Callable[[Path], object] = lambda _: None) -> str:
    """What is said of the file in ``folder`` once it is open and spoilt, as it is when a device fails."""
    with lmdb.open(str(folder), readonly=True, max_dbs=4, lib_version=0) as environment, environment.begin() as inner:
        spoil(folder / "data.mdb")
        return damage(folder / "data.mdb", inner.id())


def fill(folder: Path, *, keys: int = 3000, value_bytes: int = 60) -> None:
    with lmdb.open(str(folder), max_dbs=4, map_size=2**28, sync=False, lib_version=0) as environment:
        named = environment.open_db(b"objects")
        with environment.begin(write=True) as inner:
            for number in range(keys):
                inner.put(b"/film/segment-%05d" % number, bytes(value_bytes), db=named)


def overwrite(path: Path, page: int, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(page * PAGE + offset)
        file.write(data)


def test_damage_finds_none_in_new_file(tmp_path: Path) -> None:
    lmdb.open(str(tmp_path), lib_version=0).close()
    assert reason(tmp_path) == ""


@pytest.mark.parametrize("seed", range(4))
def test_damage_finds_none_while_file_is_written_and_cleared(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    held: list[bytes] = []
    with lmdb.open(str(tmp_path), max_dbs=4, map_size=2**28, sync=False, lib_version=0) as environment:
        named = environment.open_db(b"objects")
        for _ in range(60):
            with environment.begin(write=True) as inner:
                for _ in range(chance.choice([1, 40, 400])):
                    key = b"%d" % chance.randrange(10**9)
                    inner.put(key, bytes(chance.choice([0, 40, 40, 40, 9000])), db=chance.choice([None, named]))
                    held.append(key)
                chance.shuffle(held)
                for _ in range(chance.choice([0, len(held) // 2, len(held)])):
                    key = held.pop()
                    inner.delete(key)
                    inner.delete(key, db=named)
            with environment.begin() as inner:
                assert damage(tmp_path / "data.mdb", inner.id()) == ""


@pytest.mark.parametrize("value_bytes", [60, 20_000])
@pytest.mark.parametrize("read_bytes_max", [0, 2**30])
def test_damage_finds_every_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value_bytes: int, read_bytes_max: int
) -> None:
    monkeypatch.setattr(lmdb_pages, "LEAVES_READ_BYTES_MAX", read_bytes_max)
    fill(tmp_path, keys=300, value_bytes=value_bytes)
    pages = (tmp_path / "data.mdb").stat().st_size // PAGE
    assert reason(tmp_path) == ""
    for kept in (pages * PAGE - 1, (pages - 1) * PAGE, pages // 2 * PAGE, 3 * PAGE, 2 * PAGE):
        assert "it is cut short" in reason(tmp_path, spoil=partial(os.truncate, length=kept))


@pytest.mark.parametrize(
    ("offset", "data", "said"),
    [
        (0, bytes(PAGE), "holds something else"),
        (0, b"\xff" * PAGE, "holds something else"),
        (12, b"\xff\xff\xff\xff", "contradicts itself"),
    ],
)
def test_damage_finds_page_that_is_none(tmp_path: Path, offset: int, data: bytes, said: str) -> None:
    fill(tmp_path)
    middle = (tmp_path / "data.mdb").stat().st_size // PAGE // 2
    assert said in reason(tmp_path, spoil=lambda path: overwrite(path, middle, offset, data))


def test_damage_finds_first_pages_spoilt(tmp_path: Path) -> None:
    fill(tmp_path)
    assert "what no page does" in reason(tmp_path, spoil=lambda path: os.truncate(path, 100))


@pytest.mark.parametrize(("offset", "data"), [(0, b"\xff" * PAGE), (40, bytes(4))])
def test_damage_finds_head_that_is_none(tmp_path: Path, offset: int, data: bytes) -> None:
    fill(tmp_path)
    assert "no LMDB file" in reason(tmp_path, spoil=lambda path: overwrite(path, 0, offset, data))


def test_damage_tells_page_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)
    read = os.pread

    def fail(descriptor: int, count: int, offset: int) -> bytes:
        if offset == 20 * PAGE:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(descriptor, min(count, 20 * PAGE - offset) if offset < 20 * PAGE else count, offset)

    monkeypatch.setattr(os, "pread", fail)
    assert reason(tmp_path) == "it cannot be read: Input/output error"


@pytest.mark.parametrize("seed", range(40))
def test_damage_of_any_kind_is_a_reason_and_ends(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    fill(tmp_path, keys=200, value_bytes=chance.choice([60, 9000]))

    def spoil(path: Path) -> None:
        pages = path.stat().st_size // PAGE
        for _ in range(3):
            noise = chance.randbytes(chance.choice([1, 8, 200]))
            overwrite(path, chance.randrange(pages), chance.randrange(PAGE - 200), noise)

    assert isinstance(reason(tmp_path, spoil=spoil), str)


@pytest.mark.parametrize(
    ("numbers", "runs"),
    [
        ([], []),
        ([7], [range(7, 8)]),
        ([1, 2, 3, 5, 8, 9], [range(1, 4), range(5, 6), range(8, 10)]),
        (list(range(300)), [range(256), range(256, 300)]),
    ],
)
def test_runs_put_together_what_lies_side_by_side(numbers: list[int], runs: list[range]) -> None:
    assert list(lmdb_pages._runs(numbers)) == runs


@pytest.mark.parametrize(("whole", "why"), [(True, ""), (False, "it is cut short at page ")])
def test_damage_reads_on_where_a_read_came_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool, why: str
) -> None:
    fill(tmp_path)
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda *asked: pread(*asked)[: 3 * PAGE] if whole or asked[1] <= PAGE else b"")
    assert reason(tmp_path).startswith(why)
    assert bool(reason(tmp_path)) != whole
