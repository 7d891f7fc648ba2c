import errno

import lmdb
import pytest

from oca.common.errors import StoreError, StoreFullError
from oca.store.trouble import Trouble, trouble_of


def raised(cause: BaseException, error: StoreError | None = None) -> StoreError:
    error = error or StoreError("x", remedy="y")
    error.__cause__ = cause
    return error


def lmdb_error(code: int) -> lmdb.Error:
    error = lmdb.Error("what")
    error.__dict__["code"] = code  # as the binding sets it
    return error


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (OSError(errno.EIO, "x"), "io-error"),
        (raised(OSError(errno.EIO, "x")), "io-error"),
        (raised(raised(OSError(errno.ENXIO, "x"))), "io-error"),
        (raised(OSError(errno.EROFS, "x")), "read-only"),
        (raised(lmdb_error(errno.EIO)), "io-error"),
        (raised(lmdb_error(errno.EROFS)), "read-only"),
        (raised(OSError(errno.ENOENT, "x")), None),
        (raised(OSError(errno.EIO, "x"), StoreFullError("full", remedy="y", free_bytes={})), None),
        (StoreError("damaged", remedy="rebuild"), None),
        (ValueError(), None),
    ],
)
def test_trouble_is_told_by_cause_of_error(error: BaseException, trouble: Trouble | None) -> None:
    assert trouble_of(error) == trouble
