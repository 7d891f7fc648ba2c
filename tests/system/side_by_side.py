"""What keeps test processes that run side by side apart, and lends them what is made once for all of them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
"""Which of the processes this is; each listens on addresses of its own."""


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Nobody else is in this block for the same folder, which is made; who comes later finds what was made there."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
