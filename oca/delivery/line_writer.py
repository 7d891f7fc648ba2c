"""Appends lines to a file in a thread, so that a disk that is slow, full or hung costs lines and nothing else.

Several processes append to one file: each write is of whole lines, and with ``O_APPEND`` Linux puts the bytes of one
write to a regular file in a row. Into a pipe it does so for 4096 bytes at most (``PIPE_BUF``, pipe(7)).
"""

from __future__ import annotations

import os
import stat
import sys
import threading
from queue import SimpleQueue
from select import PIPE_BUF

STANDARD_OUTPUT = "-"
CLOSE_S = 2.0
"""How long the last lines may take when the process ends."""
_REOPEN = b""


class LineWriter:
    """One file, or standard output. ``lost`` counts lines that could not be written, ``error`` says why last."""

    def __init__(self, path: str, *, waiting_bytes_max: int) -> None:
        self._path = path
        self._waiting_bytes_max = waiting_bytes_max
        self._put_bytes = self._done_bytes = 0  # each is written by one thread alone
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._descriptor = -1
        self._is_pipe = False
        self._torn = False
        self.written = self.lost = 0
        self.error = ""
        self._thread = threading.Thread(target=self._run, name="line-writer", daemon=True)
        self._thread.start()

    def write(self, lines: bytes) -> bool:
        """Take whole lines to write; False if they are too many beside those that wait."""
        if self._put_bytes - self._done_bytes + len(lines) > self._waiting_bytes_max:
            return False
        self._put_bytes += len(lines)
        self._queue.put(lines)
        return True

    def reopen(self) -> None:
        """Go on in a new file if ours was renamed."""
        self._queue.put(_REOPEN)

    def close(self) -> None:
        """Write what waits, for ``CLOSE_S`` at most."""
        self._queue.put(None)
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while (lines := self._queue.get()) is not None:
            if lines is _REOPEN:
                self._release()
                continue
            count = lines.count(b"\n")
            try:
                self._append(lines)
                self.written += count
            except OSError as error:
                self.lost += count
                self.error = error.strerror or str(error)
                self._release()
            self._done_bytes += len(lines)
        self._release()

    def _append(self, lines: bytes) -> None:
        if self._descriptor < 0:
            self._open()
        if self._torn:
            lines = b"\n" + lines
        view = memoryview(lines)
        while view:
            part = view[: _whole_lines(view)] if self._is_pipe else view
            self._torn = True
            taken = os.write(self._descriptor, part)
            view = view[taken:]
        self._torn = False

    def _open(self) -> None:
        if self._path == STANDARD_OUTPUT:
            self._descriptor = os.dup(sys.__stdout__.fileno() if sys.__stdout__ is not None else 1)
        else:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._is_pipe = stat.S_ISFIFO(os.fstat(self._descriptor).st_mode)

    def _release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _whole_lines(view: memoryview) -> int:
    """Length of the lines that go into a pipe in one piece: as many as fit, one at least."""
    if len(view) <= PIPE_BUF:
        return len(view)
    end = bytes(view[:PIPE_BUF]).rfind(b"\n") + 1
    return end or bytes(view).find(b"\n") + 1 or len(view)
