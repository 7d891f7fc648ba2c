"""Every failure of the system is a StoreError that names the file and the remedy."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from oca.common.errors import StoreError
from oca.store import files

CODES = [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO, errno.EMFILE, errno.EPROTO]


@pytest.mark.parametrize("code", CODES)
def test_failure_names_file_action_and_remedy(code: int) -> None:
    with pytest.raises(StoreError) as caught, files.explained(Path("/dev/pack"), "write"):
        raise OSError(code, os.strerror(code))
    assert caught.value.message == f"/dev/pack: cannot write: {os.strerror(code)}"
    assert caught.value.remedy


@pytest.mark.parametrize(
    "effect",
    [
        files.names,
        files.sync_folder,
        files.space,
        files.file_system,
        files.require_folder,
        lambda path: files.make_folder(path / "below"),
        lambda path: files.open_write(path / "below"),
        lambda path: files.move(path, path.with_name("other")),
        lambda path: files.size(path.with_name("x" * 300)),
    ],
)
def test_effect_on_missing_path_is_store_error(tmp_path: Path, effect: Callable[[Path], object]) -> None:
    with pytest.raises(StoreError):
        effect(tmp_path / "missing")


def test_missing_files_are_values_where_they_are_expected(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert files.size(missing) is None
    assert files.open_read(missing) is None
    assert files.inode(missing) == 0
    files.remove(missing)
    files.remove_folder(missing)
    files.make_folder(missing)
    files.make_folder(missing)


def test_open_refuses_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    with pytest.raises(StoreError):
        files.open_read(tmp_path / "link")
    with pytest.raises(StoreError):
        files.open_write(tmp_path / "link")


def test_read_goes_on_after_short_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path := tmp_path / "file").write_bytes(bytes(range(100)))
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda descriptor, count, offset: pread(descriptor, min(count, 7), offset))
    descriptor = files.open_write(path)
    assert files.read_at(descriptor, path, 50, 10) == bytes(range(10, 60))
    assert files.read_at(descriptor, path, 50, 90) == bytes(range(90, 100))
    files.close(descriptor)


def test_lock_is_held_by_one_and_freed_by_close(tmp_path: Path) -> None:
    first = files.lock(tmp_path / "lock")
    assert first is not None
    assert files.lock(tmp_path / "lock") is None
    files.close(first)
    again = files.lock(tmp_path / "lock")
    assert again is not None
    files.close(again)


def test_move_syncs_both_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x")
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync_folder", synced.append)
    files.move(tmp_path / "a" / "file", tmp_path / "b" / "file")
    assert synced == [tmp_path / "b", tmp_path / "a"]
