"""The one owner of reads from a device into memory: blocks for as long as the device does, so only for threads.

``sendfile`` into /dev/null waits for each page and copies none; what ``POSIX_FADV_WILLNEED`` asked for before it is
then read in large pieces at a time. Measured on 1 MiB not in memory: 0.44 ms of CPU, 0.82 ms by ``preadv`` into a
buffer.
"""

from __future__ import annotations

import functools
import os

PROBE_BYTES = 4096
"""The head of a pack: never sent to viewers, so that no other read has it in hand."""


def read_in(descriptor: int, offset: int, length: int) -> int:
    """Bring a range into memory; returns how many bytes the file has of it.

    Raises:
        OSError: The device fails. Its pages are let go of, so that who comes next asks the device and not the cache.
    """
    try:
        os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_WILLNEED)
        done = 0
        while done < length and (moved := os.sendfile(_nowhere(), descriptor, offset + done, length - done)):
            done += moved
    except OSError:
        os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)
        raise
    return done


def read_anew(descriptor: int, offset: int, length: int) -> int:
    """The same, from the device even if the range is in memory."""
    os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)
    return read_in(descriptor, offset, length)


@functools.cache
def _nowhere() -> int:
    return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
