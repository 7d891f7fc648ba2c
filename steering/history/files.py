"""Files of the history on disk: made durable, proved, set aside, removed. What they mean is ``log``'s business."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oca.common.digest import hasher
from oca.common.errors import SteeringError

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
    state = hasher()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            state.update(piece)
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
    """Remove files of days that are not ``listed`` and were last written before then; how many."""
    removed = 0
    with explained(folder, "swept"):
        for path in sorted(folder.glob("day=*/*")):
            if path not in listed and path.stat().st_mtime < before_s:
                path.unlink()
                removed += 1
        for scratch in folder.glob(f"{SCRATCH}*"):
            if scratch.stat().st_mtime < before_s:
                shutil.rmtree(scratch, ignore_errors=True)
        awaited = {path.parent for path in listed}
        for day in folder.glob("day=*"):
            if day not in awaited and not any(day.iterdir()):
                day.rmdir()
    return removed
