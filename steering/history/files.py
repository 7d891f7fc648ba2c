"""Files of the history on disk: made durable, proved, set aside, removed. What they mean is ``log``'s business."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oca.common.digest import DIGEST_BYTES, hasher
from oca.common.errors import SteeringError
from oca.common.new_key import new_salt

ASIDE = ".aside"
SCRATCH = "scratch-"
"""How folders begin that a query uses; one that was killed leaves its own."""
_CHUNK_BYTES = 2**20


@contextmanager
def explained(path: Path, action: str) -> Iterator[None]:
    """Errors of the file system as ours, with the path and the remedy."""
    try:
        yield
    except OSError as error:
        raise SteeringError(
            f"{path} cannot be {action}: {error.strerror or error}",
            remedy="see that history.path can be written and has space",
        ) from None


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it."""
    with explained(folder, "made"):
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder in ``folder`` for the length of the block; one that cannot be removed then goes by the sweep."""
    with explained(folder, "written"):
        made = tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder, ignore_cleanup_errors=True)
    with made as name:
        yield Path(name)


def has_days(folder: Path) -> bool:
    """Whether there is the folder of any day; an empty mount point has none."""
    with explained(folder, "read"):
        return any(folder.glob("day=*"))


def sync(path: Path) -> None:
    """Have a file that was written, and its name, on the disk."""
    with explained(path, "made durable"):
        for each in (path, path.parent, path.parent.parent):
            descriptor = os.open(each, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def digest(path: Path) -> str:
    """xxh3-128 of a file's bytes.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return _digest(file.fileno(), os.fstat(file.fileno()).st_size)


def put_proved(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file whole or not at all, its digest at its end. A crash of the machine may damage it, which is seen."""
    made, state = path.with_name(f"{path.name}.{new_salt(6).hex()}"), hasher()
    with explained(path, "written"):
        try:
            with made.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
                    state.update(piece)
                file.write(state.digest())
            made.replace(path)
        except BaseException:
            with suppress(OSError):  # what is told is why it could not be written
                made.unlink()
            raise


def is_proved(descriptor: int) -> bool:
    """Whether an open file is as ``put_proved`` wrote it.

    Raises:
        OSError: It cannot be read.
    """
    size = os.fstat(descriptor).st_size - DIGEST_BYTES
    return size >= 0 and _digest(descriptor, size) == piece(descriptor, size, DIGEST_BYTES).hex()


def piece(descriptor: int, at: int, count: int) -> bytes:
    """So many bytes of an open file, wherever others read it.

    Raises:
        OSError: It cannot be read so far.
    """
    found = bytearray(count)
    fill(descriptor, at, memoryview(found))
    return bytes(found)


def fill(descriptor: int, at: int, memory: memoryview) -> None:
    """Fill memory with bytes of an open file, wherever others read it.

    Raises:
        OSError: It cannot be read so far.
    """
    filled = 0
    while filled < len(memory):
        count = os.preadv(descriptor, [memory[filled:]], at + filled)
        if not count:
            raise OSError(errno.EIO, f"it ends before byte {at + len(memory)}")
        filled += count


def _digest(descriptor: int, count: int) -> str:
    """Of the first so many bytes."""
    state, at, chunk = hasher(), 0, memoryview(bytearray(min(_CHUNK_BYTES, count)))
    while at < count and (read := os.preadv(descriptor, [chunk[: count - at]], at)):
        state.update(chunk[:read])
        at += read
    return state.hexdigest()


def set_aside(path: Path) -> None:
    """Give a file a name under which no query takes it; one that is gone already is none."""
    with explained(path, "renamed"):
        if path.exists():
            path.replace(path.with_name(path.name + ASIDE))


def touch(path: Path) -> None:
    """Have a file count as written now."""
    with explained(path, "touched"):
        os.utime(path)


def remove_unlisted(folder: Path, listed: set[Path], *, before_s: float) -> int:
    """Remove files of days that are not ``listed`` and were last written before then; how many.

    Others write here meanwhile: what goes by itself is passed over.
    """
    removed = 0
    with explained(folder, "swept"):
        for path in sorted(folder.glob("day=*/*")):
            if path not in listed and _is_older(path, before_s):
                path.unlink(missing_ok=True)
                removed += 1
        for scratch in folder.glob(f"{SCRATCH}*"):
            if _is_older(scratch, before_s):
                shutil.rmtree(scratch, ignore_errors=True)
        awaited = {path.parent for path in listed}
        for day in folder.glob("day=*"):
            with suppress(FileNotFoundError):
                if day not in awaited and not any(day.iterdir()):
                    day.rmdir()
    return removed


def _is_older(path: Path, before_s: float) -> bool:
    try:
        return path.stat().st_mtime < before_s
    except FileNotFoundError:
        return False
