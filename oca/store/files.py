"""The one owner of durable writes: what is renamed, unlinked, synced or cut in a store happens here.

Every failure of the system leaves as a ``StoreError`` that names the file and what to do about it. What may lie where
on a device is said elsewhere (``device``).
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oca.common.errors import StoreError, StoreFullError

_REMEDIES = {
    errno.ENOSPC: "free space on that device or lower [store] device_bytes_max",
    errno.EDQUOT: "raise the quota of the user that the service runs as",
    errno.EACCES: "give the user that the service runs as read and write access",
    errno.EPERM: "give the user that the service runs as read and write access",
    errno.EROFS: "the file system is read-only: see the kernel log for why, mend it and mount it again",
    errno.EIO: "the device fails: see the kernel log; take it out of [store] devices and replace it",
    errno.ENOENT: "mount the device or create the folder, and check [store] devices",
    errno.ENOTDIR: "name a folder in [store] devices",
    errno.EMFILE: "raise the limit of open files (LimitNOFILE)",
    errno.ENFILE: "raise the machine's limit of open files (fs.file-max)",
}


@contextmanager
def explained(path: Path, action: str) -> Iterator[None]:
    """Turn a failure of the system into a ``StoreError`` that names the file, the action and the remedy."""
    try:
        yield
    except OSError as error:
        message = f"{path}: cannot {action}: {error.strerror or error}"
        remedy = _REMEDIES.get(error.errno or 0, "check the device and the kernel log")
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StoreFullError(message, remedy=remedy, free_bytes={}) from error
        raise StoreError(message, remedy=remedy) from error


def make_folder(folder: Path) -> None:
    """Create ``folder`` inside an existing one; nothing happens if it is there."""
    with explained(folder, "create the folder"), suppress(FileExistsError):
        folder.mkdir()


def require_folder(folder: Path) -> None:
    """Refuse a device that is missing or no folder, before anything is written beside it.

    A device is never created: if its mount is missing, packs would fill the root file system instead.
    """
    with explained(folder, "use as a device"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.close(descriptor)


def names(folder: Path) -> list[str]:
    """The names in ``folder``, sorted."""
    with explained(folder, "list"):
        return sorted(entry.name for entry in folder.iterdir())


def size(path: Path) -> int | None:
    """Length of the file, or None if there is none."""
    with explained(path, "look at"):
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return None


def inode(path: Path) -> int:
    """The file's inode, 0 if there is none: tells whether a file was put in another's place."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def modified_at_ns(path: Path) -> int:
    """When the file or folder last changed, nanoseconds since 1970; 0 if it is not there or cannot be looked at."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def open_read(path: Path) -> int | None:
    """A descriptor for reading, or None if there is no such file."""
    with explained(path, "open"):
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None


def read_no_more_than_asked(descriptor: int) -> None:
    """Switch off the kernel's own read-ahead on this descriptor: sending from it then never begins a read of what is
    not sent, and reading 1 MiB here and there brings in 1 MiB, not 3.3.
    """
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)


def open_write(path: Path, *, mode: int = 0o644) -> int:
    """A descriptor for reading and writing; the file is created, with ``mode``, if need be."""
    with explained(path, "open for writing"):
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, mode)


def close(descriptor: int) -> None:
    """Close a descriptor."""
    os.close(descriptor)


def lock(path: Path) -> int | None:
    """Hold ``path`` for this process until the descriptor is closed, or None if another process holds it."""
    descriptor = open_write(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def try_lock(descriptor: int) -> bool:
    """Hold an open file for this process, until the descriptor is closed; False: another process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_held(descriptor: int) -> bool:
    """Whether somebody holds the open file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def read_at(descriptor: int, path: Path, count: int, offset: int) -> bytes:
    """``count`` bytes from ``offset``; fewer only at the end of the file."""
    with explained(path, "read"):
        parts = []
        while count > 0 and (part := os.pread(descriptor, count, offset)):
            parts.append(part)
            count -= len(part)
            offset += len(part)
    return b"".join(parts)


def write_at(descriptor: int, path: Path, data: bytes | bytearray | memoryview, offset: int) -> None:
    """All of ``data`` at ``offset``, however short the system's writes are."""
    with explained(path, "write"):
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, offset)
            view = view[written:]
            offset += written


def rewrite(path: Path) -> None:
    """Write one byte where one was before, which takes no space; a device that is merely full is no failure.

    Raises:
        StoreError: The device takes no writes.
    """
    with suppress(StoreFullError):
        descriptor = open_write(path)
        try:
            write_at(descriptor, path, b"\n", 0)
        finally:
            os.close(descriptor)


def write_secret(path: Path, data: bytes) -> None:
    """As ``write_whole``, and readable by the owner alone."""
    write_whole(path, data, mode=0o600)


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Put ``data`` in place of what ``path`` holds: durable, never half of it there."""
    fresh = path.with_name(f"{path.name}.new")
    remove(fresh)  # one that a kill left may be readable by others
    descriptor = open_write(fresh, mode=mode)
    try:
        write_at(descriptor, fresh, data, 0)
        sync(descriptor, fresh)
    finally:
        os.close(descriptor)
    move(fresh, path)


def set_direct(descriptor: int, *, on: bool) -> bool:
    """Have reads and writes go past the page cache, in whole pages, or through it; whether they go past it now."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_DIRECT if on else flags & ~os.O_DIRECT)
    except OSError:  # a file system that knows no such thing
        return False
    return on


def cut(descriptor: int, path: Path, length: int) -> None:
    """Cut the file to ``length`` bytes."""
    with explained(path, "cut"):
        os.ftruncate(descriptor, length)


def sync(descriptor: int, path: Path, *, keep_cached: bool = False) -> None:
    """Bring the file to the device, then let its pages go: a fill must not push hot objects out of memory.

    ``keep_cached``: they are hot themselves.
    """
    with explained(path, "sync"):
        os.fsync(descriptor)
        if not keep_cached:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def forget_cached(path: Path) -> None:
    """Have the kernel let go of the file's clean pages, so that who reads next asks the device; a missing file is
    none to forget.
    """
    descriptor = open_read(path)
    if descriptor is not None:
        with explained(path, "look at"):
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def let_go(descriptor: int, offset: int, length: int) -> None:
    """Begin to bring the range to the device, and let go of those of its pages that are there already.

    Linux does both at ``POSIX_FADV_DONTNEED`` and waits for neither: called on a range again some MiB later, it finds
    the pages written. What a fill writes so takes memory for some MiB, not for the length of an asset.
    """
    os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)


def sync_folder(folder: Path) -> None:
    """Bring the folder's names to the device."""
    with explained(folder, "sync"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def move(source: Path, target: Path) -> None:
    """Rename and bring both folders to the device: after this the file is at ``target`` whatever happens."""
    with explained(source, f"rename to {target}"):
        source.rename(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def remove(path: Path) -> None:
    """Unlink the file; nothing happens if it is gone."""
    with explained(path, "remove"), suppress(FileNotFoundError):
        path.unlink()


def remove_folder(folder: Path) -> None:
    """Remove a folder and what is in it; nothing happens if it is gone."""
    with explained(folder, "remove"), suppress(FileNotFoundError):
        shutil.rmtree(folder)


def file_system(folder: Path) -> int:
    """Which file system the folder is on."""
    with explained(folder, "look at"):
        return folder.stat().st_dev


def disk_below(folder: Path) -> str:
    """The kernel's name of the block device below a folder, as in ``/proc/diskstats``; empty: none it knows."""
    number = file_system(folder)
    block = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    return block.resolve().name if block.exists() else ""


def space(folder: Path) -> tuple[int, int]:
    """Bytes of the folder's file system: in all, and free to us."""
    with explained(folder, "measure"):
        found = os.statvfs(folder)
    return found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
