"""A model of what a device may hold after a power cut, and the recorder of the effects that lead there.

Effects are recorded where they have their one owner: ``oca.store.files`` and the commits of ``Index``. After a cut a
file holds what was synced, and of what was written since any part in any order, the last write torn; of the changes
to a folder since it was synced, the first few. Renames are atomic and a folder's changes keep their order, as ext4,
XFS and btrfs have it; data, and other folders, may be behind or ahead. A commit of LMDB is durable and atomic when it
returns (it syncs its pages, then its meta page); at a cut within one, either side may hold.
"""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from oca.store import files, tail
from oca.store.index import Index
from oca.store.pack import PAGE_BYTES

ZERO = b"\0"


@dataclass(frozen=True)
class Write:
    inode: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Cut:
    inode: int
    length: int


@dataclass(frozen=True)
class Sync:
    inode: int


@dataclass(frozen=True)
class Name:
    """``inode`` is at ``path`` from here on, and no more at ``source``; None: nothing is at ``path``."""

    path: Path
    inode: int | None
    source: Path | None = None


@dataclass(frozen=True)
class SyncFolder:
    folder: Path


@dataclass(frozen=True)
class Commit:
    """An index's file as it is after a commit."""

    path: Path
    data: bytes


@dataclass(frozen=True)
class Done:
    """The program was told that a step is done: from here on it is promised."""

    step: int


Effect = Write | Cut | Sync | Name | SyncFolder | Commit | Done


@dataclass
class Disk:
    """What is durable, and what may be or not."""

    contents: dict[int, bytes] = field(default_factory=dict)
    names: dict[Path, int] = field(default_factory=dict)
    folders: set[Path] = field(default_factory=set)
    indexes: dict[Path, bytes] = field(default_factory=dict)
    written: dict[int, list[Write | Cut]] = field(default_factory=lambda: defaultdict(list))
    named: dict[Path, list[Name]] = field(default_factory=lambda: defaultdict(list))
    done: int = 0

    def take(self, effect: Effect) -> None:
        """The effect happens."""
        if isinstance(effect, Write | Cut):
            self.written[effect.inode].append(effect)
        elif isinstance(effect, Sync):
            pending = self.written.pop(effect.inode, [])
            self.contents[effect.inode] = apply(self.contents.get(effect.inode, b""), pending)
        elif isinstance(effect, Name):
            self.named[effect.path.parent].append(effect)
        elif isinstance(effect, SyncFolder):
            for name in self.named.pop(effect.folder, []):
                rename(self.names, name)
        elif isinstance(effect, Commit):
            self.indexes[effect.path] = effect.data
        else:
            self.done = effect.step

    def after_cut(self, chance: random.Random | None, *, kept: bool) -> tuple[dict[Path, bytes], dict[Path, bytes]]:
        """Files and indexes after a power cut: with what is not durable ``kept`` whole, lost whole, or by chance."""
        names = dict(self.names)
        for pending in self.named.values():
            count = chance.randint(0, len(pending)) if chance else len(pending) * kept
            for name in pending[:count]:
                rename(names, name)
        found = {}
        for path, inode in names.items():
            pending_data = self.written.get(inode, [])
            if chance:
                pending_data = [torn(each, chance) for each in pending_data if chance.random() < 0.6]
            found[path] = apply(self.contents.get(inode, b""), pending_data if chance or kept else [])
        return found, self.indexes


def apply(content: bytes, effects: list[Write | Cut]) -> bytes:
    """A file's content after these; what was never written in between reads as zeros."""
    for effect in effects:
        if isinstance(effect, Cut):
            content = content[: effect.length].ljust(effect.length, ZERO)
        else:
            end = effect.offset + len(effect.data)
            content = content[: effect.offset].ljust(effect.offset, ZERO) + effect.data + content[end:]
    return content


def torn(effect: Write | Cut, chance: random.Random) -> Write | Cut:
    """A write of which only a part has come to the device, now and then."""
    if isinstance(effect, Cut) or chance.random() < 0.7:
        return effect
    return Write(effect.inode, effect.offset, effect.data[: chance.randint(0, len(effect.data))])


def rename(names: dict[Path, int], name: Name) -> None:
    """Carry out one change of a name."""
    if name.source is not None:
        names.pop(name.source, None)
    if name.inode is None:
        names.pop(name.path, None)
    else:
        names[name.path] = name.inode


class Recorder:
    """Notes every effect below ``root`` in its order, starting from what lies there now."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._inodes: dict[int, int] = {}
        self.effects: list[Effect] = []
        self.start = Disk()
        for path in sorted(root.rglob("*")):
            if path.is_dir():
                self.start.folders.add(path)
            elif path.name == "data.mdb":
                self.start.indexes[path] = path.read_bytes()
            elif path.name != "lock.mdb":
                inode = self._new(path.stat().st_ino)
                self.start.contents[inode] = path.read_bytes()
                self.start.names[path] = inode

    def done(self, step: int) -> None:
        """The program has been told that this step is done."""
        self.effects.append(Done(step))

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what the body does."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tail, "STEP_BYTES", PAGE_BYTES)  # so that there is something between writes to cut at
            for name in ("open_write", "write_at", "cut", "sync", "sync_folder", "remove", "make_folder"):
                patch.setattr(files, name, getattr(self, f"_{name}")(getattr(files, name)))
            patch.setattr(Path, "rename", self._rename(Path.rename))
            for name in ("admit", "doom", "bury"):
                patch.setattr(Index, name, self._commit(getattr(Index, name)))
            yield

    def _new(self, real: int) -> int:
        self._inodes[real] = len(self._inodes) + 1_000_000 * (real in self._inodes) + len(self.effects) * 1000
        return self._inodes[real]

    def _inode(self, descriptor: int) -> int:
        return self._inodes[os.fstat(descriptor).st_ino]

    def _open_write(self, effect: Callable[..., int]) -> Callable[..., int]:
        def record(path: Path, **options: int) -> int:
            is_new = not path.exists()
            descriptor = effect(path, **options)
            if is_new:
                self.effects.append(Name(path, self._new(os.fstat(descriptor).st_ino)))
            return descriptor

        return record

    def _write_at(self, effect: Callable[..., None]) -> Callable[..., None]:
        def record(descriptor: int, path: Path, data: bytes, offset: int) -> None:
            effect(descriptor, path, data, offset)
            self.effects.append(Write(self._inode(descriptor), offset, bytes(data)))

        return record

    def _cut(self, effect: Callable[..., None]) -> Callable[..., None]:
        def record(descriptor: int, path: Path, length: int) -> None:
            effect(descriptor, path, length)
            self.effects.append(Cut(self._inode(descriptor), length))

        return record

    def _sync(self, effect: Callable[..., None]) -> Callable[..., None]:
        def record(descriptor: int, path: Path, **options: bool) -> None:
            effect(descriptor, path, **options)
            self.effects.append(Sync(self._inode(descriptor)))

        return record

    def _sync_folder(self, effect: Callable[..., None]) -> Callable[..., None]:
        def record(folder: Path) -> None:
            effect(folder)
            self.effects.append(SyncFolder(folder))

        return record

    def _remove(self, effect: Callable[..., None]) -> Callable[..., None]:
        def record(path: Path) -> None:
            was_there = path.exists()
            effect(path)
            if was_there:
                self.effects.append(Name(path, None))

        return record

    def _make_folder(self, effect: Callable[..., None]) -> Callable[..., None]:
        def record(folder: Path) -> None:
            effect(folder)
            self.start.folders.add(folder)  # an empty folder says nothing

        return record

    def _rename(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def record(source: Path, target: Path) -> Any:
            inode = self._inodes.get(source.stat().st_ino)
            assert inode is not None, f"{source} was not made by way of files"
            result = effect(source, target)
            self.effects.append(Name(target, inode, source))
            return result

        return record

    def _commit(self, effect: Callable[..., None]) -> Callable[..., None]:
        def record(index: Index, *arguments: Any, **named: Any) -> None:
            effect(index, *arguments, **named)
            path = index.folder / "data.mdb"
            self.effects.append(Commit(path, path.read_bytes()))

        return record


def cuts(recorder: Recorder, seed: int, *, by_chance: int) -> Iterator[tuple[int, int, dict[Path, bytes]]]:
    """What may be found after a power cut at any point: (effects before it, step promised by then, files and indexes).

    At each point: nothing that is not durable kept, all of it, and ``by_chance`` times some of it.
    """
    disk = recorder.start
    for point in range(len(recorder.effects) + 1):
        if point:
            disk.take(recorder.effects[point - 1])
        chances = [random.Random(f"{seed} {point} {number}") for number in range(by_chance)]
        for chance, kept in ((None, False), (None, True), *((each, True) for each in chances)):
            found, indexes = disk.after_cut(chance, kept=kept)
            yield point, disk.done, {**found, **indexes}
        following = recorder.effects[point] if point < len(recorder.effects) else None
        if isinstance(following, Commit):  # within the commit: it may be durable before it returns
            found, indexes = disk.after_cut(None, kept=False)
            yield point, disk.done, {**found, **indexes, following.path: following.data}


def lay_out(found: dict[Path, bytes], folders: set[Path], root: Path, copy: Path) -> None:
    """Write what was found below ``root`` into ``copy``."""
    for folder in sorted(folders):
        (copy / folder.relative_to(root)).mkdir(parents=True, exist_ok=True)
    for path, data in found.items():
        (copy / path.relative_to(root)).write_bytes(data)
