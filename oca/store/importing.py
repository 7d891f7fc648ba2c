"""Take a folder of files into the store as one asset, for a box that stands alone or is loaded by hand."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from oca.common.digest import hasher, revision_of
from oca.common.errors import StoreError
from oca.common.media_types import media_type_of
from oca.common.messages import OBJECTS_MAX, AssetId, AssetManifest, ObjectDescription, UrlPath
from oca.store import files
from oca.store.records import HeldPack
from oca.store.store import Store

_READ_BYTES = 1 << 20


def folder_bytes(source: Path) -> int:
    """What ``describe_folder`` will read, for a progress bar; 0 where there is no such folder.

    Raises:
        StoreError: A folder or file cannot be looked at.
    """
    if not os.path.isdir(source):  # noqa: PTH112 - as below
        return 0
    return sum(files.size(path) or 0 for path in _files_in(source))


def describe_folder(
    source: Path, *, asset: str, mount: str, on_bytes: Callable[[int], None] = lambda _: None
) -> tuple[AssetManifest, list[Path]]:
    """Read a folder's files into a manifest, in path order, and the files in the same order.

    Names that begin with a dot are left out: no URL of ours holds a dot segment.

    Args:
        source: The folder.
        asset: Id of the asset, ``title/rendition``.
        mount: URL path that the folder's relative paths are put under, such as ``/harbour``.
        on_bytes: Told of each stretch that was read.

    Raises:
        StoreError: The folder cannot be read or is empty; or a name, the asset or the mount cannot stand in a URL.
    """
    if not os.path.isdir(source):  # noqa: PTH112 - Path.is_dir raises where a parent may not be searched
        raise StoreError(f"{source}: not a folder", remedy="name the folder with the asset's files")
    found = sorted(_files_in(source))
    if not found:
        raise StoreError(f"{source}: holds no file", remedy="name a folder with the asset's files")
    if len(found) > OBJECTS_MAX:
        raise StoreError(
            f"{source}: holds {len(found)} files, an asset at most {OBJECTS_MAX}", remedy="split it into several assets"
        )
    base = mount.rstrip("/")
    paths = [f"{base}/{file.relative_to(source).as_posix()}" for file in found]
    _refuse_names(source, asset, paths)
    described = [
        ObjectDescription(path=path, bytes=size, digest=digest, media_type=media_type_of(file.name))
        for file, path in zip(found, paths, strict=True)
        for size, digest in [_measure(file, on_bytes)]
    ]
    manifest = AssetManifest(
        asset=asset,
        revision=revision_of([(item.path, item.digest) for item in described]),
        bytes=sum(item.bytes for item in described),
        modified_at_ns=max(0, *(file.stat().st_mtime_ns for file in found)),
        objects=described,
        sources=[],
    )
    return manifest, found


def import_folder(
    store: Store, manifest: AssetManifest, found: list[Path], *, on_bytes: Callable[[int], None] = lambda _: None
) -> HeldPack:
    """Copy described files into the store and commit them.

    Raises:
        StoreError: A file changed since it was described, or the store cannot take the asset.
    """
    staged = store.stage(manifest)
    try:
        while not staged.whole:
            number, _ = staged.position()
            staged.restart_object()
            for part in _parts(found[number]):
                staged.write(part)
                on_bytes(len(part))
            if not staged.finish_object():
                raise StoreError(
                    f"{found[number]}: changed while it was imported", remedy="run it again when nobody writes to it"
                )
        return staged.commit()
    finally:
        staged.close()


def _files_in(source: Path) -> Iterator[Path]:
    for folder, below, names in os.walk(source, onerror=_refuse):
        below[:] = [name for name in below if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if not name.startswith(".") and _is_file(path):
                yield path


def _refuse(error: OSError) -> None:
    """A folder that cannot be read is never left out: the asset would lack its files."""
    with files.explained(Path(error.filename), "list"):
        raise error


def _is_file(path: Path) -> bool:
    with files.explained(path, "look at"):
        mode = path.lstat().st_mode
    if not stat.S_ISREG(mode):
        raise StoreError(f"{path}: is no plain file", remedy="copy what it leads to, or move it away")
    return True


def _measure(path: Path, on_bytes: Callable[[int], None]) -> tuple[int, str]:
    state, size = hasher(), 0
    for part in _parts(path):
        state.update(part)
        size += len(part)
        on_bytes(len(part))
    return size, state.hexdigest()


def _parts(path: Path) -> Iterator[bytes]:
    with files.explained(path, "read"), path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            yield part


def _refuse_names(source: Path, asset: str, paths: Sequence[str]) -> None:
    """Hold what an operator typed and what files are called against the limits of messages, before all is read."""
    if not _fits(asset, AssetId):
        raise StoreError(
            f"{asset!r} cannot be the name of an asset",
            remedy="write it like title/rendition: lower-case letters, digits, dots, hyphens and underscores",
        )
    for path in paths:
        if not _fits(path, UrlPath):
            raise StoreError(
                f"{source}: {path!r} cannot be the path of an object",
                remedy="use letters, digits and . _ ~ ! $ & ' ( ) * + , ; = : @ -, at most 480 bytes in all, "
                "a mount that begins with / and no name that begins with a dot",
            )


def _fits(text: str, kind: object) -> bool:
    try:
        msgspec.convert(text, kind)
    except msgspec.ValidationError:
        return False
    return True
