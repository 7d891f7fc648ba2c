"""What a fill leaves of the pages that viewers are sent from: the part of ``benchmarks.store`` that takes root.

``python -m benchmarks.hot_pages HOW FOLDER`` is the child that is put into a memory cgroup.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import subprocess
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

from oca.common.digest import digest_hex, revision_of
from oca.common.log import configure_logging
from oca.common.messages import AssetManifest, ObjectDescription
from oca.store.store import Store

HOT_BYTES, FILL_BYTES, LIMIT_BYTES = 112 * 2**20, 768 * 2**20, 192 * 2**20
CACHESTAT = 451
CGROUP = Path("/sys/fs/cgroup/memory")


def can_measure() -> bool:
    """Whether this machine and user may limit memory."""
    return os.geteuid() == 0 and CGROUP.is_dir()


def cached_bytes(path: Path) -> int:
    """How much of a file is in memory."""
    asked, told = array("Q", (0, 0)), array("Q", (0,) * 5)
    asked[1] = path.stat().st_size
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    pointers = [ctypes.c_void_p(each.buffer_info()[0]) for each in (asked, told)]
    with path.open("rb") as file:
        if syscall(ctypes.c_long(CACHESTAT), file.fileno(), *pointers, 0):
            raise SystemExit("the page cache cannot be asked: cachestat takes Linux 6.5")
    return int(told[0]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def limited(name: str) -> Iterator[None]:
    """This process in a memory cgroup of its own; what it caches counts there."""
    group = CGROUP / name
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(LIMIT_BYTES))
        (group / "cgroup.procs").write_text(str(os.getpid()))
        yield
    finally:
        (CGROUP / "cgroup.procs").write_text(str(os.getpid()))
        (group / "memory.force_empty").write_text("0")
        group.rmdir()


def hot_left(disk: Path, how: str) -> float:
    """Which part of the hot bytes is in memory after a fill, ``staged`` or ``plain``, in a child of its own."""
    argv = [sys.executable, "-m", "benchmarks.hot_pages", how, str(disk)]
    return float(subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True).stdout)


def fill_beside_hot(folder: Path, how: str) -> float:
    """The child's part."""
    hot = folder / f"hot-{how}"
    hot.write_bytes(os.urandom(HOT_BYTES))
    with hot.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with limited(f"oca-bench-{os.getpid()}"):
        for _ in range(2):  # twice: the kernel then counts it as in use
            with hot.open("rb") as file:
                while file.read(2**20):
                    continue
        before = cached_bytes(hot)
        if how == "staged":
            fill(folder, FILL_BYTES)
        else:
            with (folder / "plain").open("wb") as file:
                for _ in range(FILL_BYTES >> 20):
                    file.write(os.urandom(2**20))
        left = cached_bytes(hot)
    hot.unlink()
    return left / before


def fill(folder: Path, size: int) -> None:
    """Commit one asset of so many bytes."""
    device = folder / "filled"
    device.mkdir()
    chunk = random.Random(1).randbytes(4 * 2**20)
    items = [
        ObjectDescription(f"/film/{number}.m4s", len(chunk), digest_hex(chunk), "video/mp4")
        for number in range(size // len(chunk))
    ]
    revision = revision_of([(item.path, item.digest) for item in items])
    manifest = AssetManifest("film/v", revision, size, 1, items, [])
    store = Store.open([device])
    staged = store.stage(manifest)
    for _ in items:
        for start in range(0, len(chunk), 256 * 1024):
            staged.write(chunk[start : start + 256 * 1024])
        if not staged.finish_object():
            raise SystemExit("an object came out wrong")
    staged.commit()
    store.close()


if __name__ == "__main__":
    configure_logging(level="warning")
    print(fill_beside_hot(Path(sys.argv[2]), sys.argv[1]))
