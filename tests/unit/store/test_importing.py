"""A folder becomes an asset, or one clear line says why not."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from oca.common.errors import StoreError
from oca.store.importing import describe_folder, import_folder
from oca.store.store import Store
from oca.store.verify import verify

BODIES = {"index.m3u8": b"#EXTM3U\n", "v/seg-1.m4s": b"\1" * 3_000_000, "v/seg-2.m4s": b"", "poster.jpg": b"jpg"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "film"
    (folder / "v").mkdir(parents=True)
    for name, body in BODIES.items():
        (folder / name).write_bytes(body)
    return folder


@pytest.mark.parametrize(("mount", "base"), [("/harbour", "/harbour"), ("/harbour/", "/harbour"), ("/", "")])
def test_import_takes_folder_in_under_its_mount(store: Store, source: Path, mount: str, base: str) -> None:
    (source / ".DS_Store").write_bytes(b"?")
    (source / ".git").mkdir()
    (source / ".git" / "config").write_bytes(b"?")
    manifest, found = describe_folder(source, asset="harbour/all", mount=mount)
    assert {item.path: item.bytes for item in manifest.objects} == {
        f"{base}/{name}": len(body) for name, body in BODIES.items()
    }
    read: list[int] = []
    held = import_folder(store, manifest, found, on_bytes=read.append)
    assert (held.objects, sum(read)) == (4, sum(map(len, BODIES.values())))
    assert verify(store.devices()).faults == []


def test_import_gives_same_revision_for_same_files(source: Path) -> None:
    first, _ = describe_folder(source, asset="harbour/all", mount="/h")
    second, _ = describe_folder(source, asset="harbour/all", mount="/h")
    assert first == second


def test_import_goes_on_after_it_was_cut(store: Store, source: Path) -> None:
    manifest, found = describe_folder(source, asset="harbour/all", mount="/h")
    staged = store.stage(manifest)
    staged.write(BODIES["index.m3u8"])
    assert staged.finish_object()
    staged.write(b"jp")
    staged.close()
    assert import_folder(store, manifest, found).objects == 4


def test_import_refuses_file_that_changes_meanwhile(store: Store, source: Path) -> None:
    manifest, found = describe_folder(source, asset="harbour/all", mount="/h")
    (source / "poster.jpg").write_bytes(b"png")
    with pytest.raises(StoreError, match=r"poster\.jpg: changed while it was imported"):
        import_folder(store, manifest, found)
    assert store.assets() == []


@pytest.mark.parametrize(
    ("asset", "mount", "message"),
    [
        ("Harbour", "/h", "'Harbour' cannot be the name of an asset"),
        ("../x/y", "/h", "cannot be the name of an asset"),
        ("h/a", "h", "'h/index.m3u8' cannot be the path"),
        ("h/a", "/../h", "cannot be the path"),
        ("h/a", "/" + "x" * 480, "cannot be the path"),
    ],
)
def test_import_refuses_names_that_cannot_be(source: Path, asset: str, mount: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        describe_folder(source, asset=asset, mount=mount)


def test_import_refuses_file_name_that_cannot_be_in_url(source: Path) -> None:
    (source / "my film.mp4").write_bytes(b"")
    with pytest.raises(StoreError, match=r"my film\.mp4' cannot be the path"):
        describe_folder(source, asset="h/a", mount="/h")


def test_import_refuses_links(source: Path) -> None:
    (source / "link.mp4").symlink_to("/etc/passwd")
    with pytest.raises(StoreError, match="is no plain file"):
        describe_folder(source, asset="h/a", mount="/h")


def test_import_refuses_source_without_blaming_a_device(tmp_path: Path, source: Path) -> None:
    for wrong in (tmp_path / "nosuch", source / "poster.jpg"):
        with pytest.raises(StoreError) as caught:
            describe_folder(wrong, asset="harbour/all", mount="/h")
        assert str(caught.value) == f"{wrong}: not a folder; name the folder with the asset's files"


def test_import_refuses_folder_of_which_a_part_cannot_be_read(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def refuse(folder: str) -> Iterator[os.DirEntry[str]]:
        if Path(folder).name == "v":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(StoreError, match="v: cannot list: Permission denied"):
        describe_folder(source, asset="harbour/all", mount="/h")


def test_import_refuses_folder_that_is_empty(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no file"):
        describe_folder(tmp_path, asset="h/a", mount="/h")
