"""A folder whose files' place in memory the system tells: on tmpfs, and on the overlays of containers, it does not."""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (Path("/var/tmp"), ROOT / ".tmp")
TRIES = 50
"""Who asks begins the read, too, and on a busy machine may find it done; and a page in use does not go at once."""


def is_told(folder: Path) -> bool:
    """Whether a file's pages go from memory when told to, and reads that do not wait then say so."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(2 * mmap.PAGESIZE))
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        for _ in range(TRIES):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            before = _is_at_hand(file.fileno())
            if before is None:
                return False
            os.pread(file.fileno(), 1, 0)
            if not before and _is_at_hand(file.fileno()):
                return True
            time.sleep(0.01)
    return False


def _is_at_hand(descriptor: int) -> bool | None:
    """Whether its first byte is; None: the file system cannot tell."""
    try:
        return os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT) == 1
    except OSError as error:
        return False if error.errno == errno.EAGAIN else None


def use_folder() -> bool:
    """Have tests, and what they start, keep their files in such a folder; False: there is none."""
    for folder in (Path(tempfile.gettempdir()), *FOLDERS):
        try:
            folder.mkdir(exist_ok=True)
            told = is_told(folder)
        except OSError:  # as on a system that is for reading only
            continue
        if told:
            os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
            return True
    return False
