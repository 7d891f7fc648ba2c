"""Processes that end with us: each child is told by the kernel when its parent dies, however it dies."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def spawn_tied(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start ``command`` in a process group of its own; the kernel ends it when this process dies, even by SIGKILL.

    A group of its own keeps the terminal's Ctrl-C from it: the demo stops its children itself, in order.
    """
    parent = os.getpid()

    def tie() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the line above took hold
            os._exit(1)

    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=tie,  # noqa: PLW1509 - the demo starts children from its only thread
        **options,
    )
