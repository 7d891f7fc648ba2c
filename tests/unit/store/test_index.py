"""The index: sharing, formats, limits, and what it says when it cannot go on."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lmdb
import pytest

from oca.common.errors import StoreError, StoreFullError
from oca.store import files
from oca.store.entries import PackEntry, encode_entry
from oca.store.index import Index, create_index
from tests.waiting import WAIT_S

ENTRY = PackEntry("a/one", "0" * 32, 100, 2, 5)
OBJECTS = [
    (f"/a/{number}".encode(), encode_entry(1, number, 10, digest=bytes(16), media_type="a/b", modified_at_s=3))
    for number in range(2)
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_index(tmp_path / "index")
    return tmp_path / "index"


def test_index_names_pack_and_objects_in_one_step(folder: Path) -> None:
    index = Index.open(folder, writable=True)
    before = index.last_transaction()
    index.admit(1, ENTRY, OBJECTS, replaced={})
    assert index.last_transaction() == before + 1
    assert index.census() == ({1: ENTRY}, 2)
    assert index.next_number() == 2
    assert index.paths_of({1}) == [b"/a/0", b"/a/1"]
    index.close()


def test_index_changes_nothing_when_a_path_is_claimed(folder: Path) -> None:
    index = Index.open(folder, writable=True)
    index.admit(1, ENTRY, OBJECTS[:1], replaced={})
    other = PackEntry("b/two", "0" * 32, 100, 2, 5)
    with pytest.raises(StoreError, match="b/two: the path /a/0 belongs to the asset a/one"):
        index.admit(2, other, [(b"/b/0", OBJECTS[0][1]), *OBJECTS], replaced={})
    assert index.census() == ({1: ENTRY}, 1)
    assert index.get(b"/b/0") is None
    index.close()


def test_index_dooms_only_paths_that_are_still_the_packs(folder: Path) -> None:
    index = Index.open(folder, writable=True)
    index.admit(1, ENTRY, OBJECTS, replaced={})
    index.doom(9, [b"/a/0", b"/nothing"])
    assert index.census() == ({1: ENTRY}, 2)
    assert index.doomed() == {9}
    index.bury([9])
    assert index.doomed() == set()
    index.close()


def test_index_is_shared_within_process_and_turns_writable(folder: Path) -> None:
    reading = Index.open(folder, writable=False)
    before = reading.writable
    writing = Index.open(folder, writable=True)
    assert writing is reading
    assert (before, reading.writable) == (False, True)
    writing.admit(1, ENTRY, OBJECTS, replaced={})
    writing.close()
    assert reading.get(b"/a/0") == OBJECTS[0][1]
    reading.close()
    again = Index.open(folder, writable=False)
    assert again is not reading
    again.close()


def test_index_shows_other_process_change_without_reopening(folder: Path) -> None:
    index = Index.open(folder, writable=False)
    before = index.last_transaction()
    script = f"""
from pathlib import Path
from oca.store.index import Index
index = Index.open(Path({str(folder)!r}), writable=True)
index.doom(1, [])
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=WAIT_S)
    assert index.last_transaction() > before
    index.close()


def test_index_keeps_pinned_file_format(folder: Path) -> None:
    with lmdb.open(str(folder), readonly=True, max_dbs=8) as environment:
        assert environment.lib_version()[0] == 0
        assert environment.info()["max_readers"] >= 2048


def test_index_of_other_format_is_refused(folder: Path) -> None:
    with lmdb.open(str(folder), max_dbs=8) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"format", b"99", db=environment.open_db(b"about", txn=transaction))
    for writable in (False, True):
        with pytest.raises(StoreError, match="format 99, this version reads 1") as caught:
            Index.open(folder, writable=writable)
        assert "oca store rebuild" in caught.value.remedy


@pytest.mark.parametrize("damage", [b"", b"\xff" * 40960, b"\0" * 40960])
@pytest.mark.parametrize("writable", [False, True])
def test_index_that_is_damaged_is_one_clear_error(folder: Path, damage: bytes, writable: bool) -> None:
    (folder / "data.mdb").write_bytes(damage)
    if writable and not damage:
        Index.open(folder, writable=True).close()  # LMDB makes a new one of an empty file
        return
    with pytest.raises(StoreError, match=str(folder)) as caught:
        Index.open(folder, writable=writable)
    assert caught.value.remedy


@pytest.mark.parametrize("writable", [False, True])
def test_index_that_is_cut_short_is_an_error_not_a_signal(folder: Path, writable: bool) -> None:
    index = Index.open(folder, writable=True)
    index.admit(1, ENTRY, OBJECTS, replaced={})
    index.close()
    os.truncate(folder / "data.mdb", 8192)
    script = f"""
from pathlib import Path
from oca.common.errors import StoreError
from oca.store.index import Index
try:
    print(Index.open(Path({str(folder)!r}), writable={writable}).census())
except StoreError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=WAIT_S)
    assert (run.returncode, run.stderr) == (0, "")
    assert "the index is damaged: it is cut short: 8192 bytes" in run.stdout
    assert "oca store rebuild" in run.stdout


def test_index_tells_that_pack_entry_is_damaged(folder: Path) -> None:
    index = Index.open(folder, writable=True)
    with index._environment.begin(index._packs, write=True) as transaction:
        transaction.put(b"\0\0\0\1", b"\xc1")
    with pytest.raises(StoreError, match="index is damaged"):
        index.pack(1)
    index.close()


def test_index_tells_that_it_cannot_be_used(folder: Path) -> None:
    index = Index.open(folder, writable=False)
    with pytest.raises(StoreError, match="cannot be used"):
        index.bury([1])
    index.close()


@pytest.mark.parametrize(
    ("free_bytes", "kind", "said"),
    [(65_535, StoreFullError, "no space is left"), (65_536, StoreError, "cannot be used")],
)
def test_index_tells_short_write_on_full_device_from_failing_device(
    folder: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int, kind: type[StoreError], said: str
) -> None:
    index = Index.open(folder, writable=True)
    monkeypatch.setattr(files, "space", lambda _: (2**30, free_bytes))

    def fail(**_: object) -> None:
        error = lmdb.Error("mdb_txn_commit")
        monkeypatch.setattr(error, "code", errno.EIO, raising=False)
        raise error

    monkeypatch.setattr(index, "_begin", fail)
    with pytest.raises(StoreError, match=said) as caught:
        index.bury([1])
    assert type(caught.value) is kind
    index.close()


@pytest.mark.parametrize("kind", [lmdb.BadTxnError, lmdb.CorruptedError, lmdb.PageNotFoundError])
def test_index_tells_bad_page_met_on_the_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: type[lmdb.Error]
) -> None:
    index = Index.open(folder, writable=False)

    def fail(*_: object) -> None:
        raise kind("mdb_cursor_get")

    monkeypatch.setattr(index, "_begin", fail)
    with pytest.raises(StoreError, match="the index is damaged: mdb_cursor_get") as caught:
        index.census()
    assert "oca store rebuild" in caught.value.remedy
    index.close()


def test_index_is_created_once_by_many_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    script = f"from pathlib import Path; from oca.store.index import create_index; create_index(Path({str(folder)!r}))"
    with ThreadPoolExecutor(4) as pool:
        runs = [
            pool.submit(subprocess.run, [sys.executable, "-c", script], check=True, timeout=WAIT_S) for _ in range(4)
        ]
        assert [run.result().returncode for run in runs] == [0] * 4
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    Index.open(folder, writable=False).close()


def test_index_left_by_killed_first_start_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / f"index.{os.getpid()}").mkdir()
    create_index(tmp_path / "index")
    Index.open(tmp_path / "index", writable=False).close()


def test_index_refuses_folder_it_may_not_make(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        create_index(tmp_path / "missing" / "index")
