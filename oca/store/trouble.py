"""What an error says of the device it came from: whether the device fails, or only what lies on it. Pure."""

from __future__ import annotations

import errno
from typing import Literal

from oca.common.errors import StoreFullError

Trouble = Literal["io-error", "read-only"]

_FAILING = frozenset(
    {errno.EIO, errno.ENXIO, errno.ENODEV, errno.ETIMEDOUT, errno.ESHUTDOWN, errno.EUCLEAN, errno.EREMOTEIO}
)
"""What Linux says of a device that fails or is gone, and of a file system that has shut itself down over it."""


def trouble_of(error: BaseException) -> Trouble | None:
    """How the device fails, by the errors that ``error`` was raised from; None: the device itself is not to blame.

    LMDB's errors carry the system's number as ``code``. A full device is none that fails.
    """
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, StoreFullError):
        number = seen.errno if isinstance(seen, OSError) else getattr(seen, "code", None)
        if number == errno.EROFS:
            return "read-only"
        if number in _FAILING:
            return "io-error"
        seen = seen.__cause__
    return None
