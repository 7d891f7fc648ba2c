"""The Range field (RFC 9110 §14): which bytes of a representation a GET asks for."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

_SET = re.compile(rb"[ \t]*bytes[ \t]*=(.*)", re.IGNORECASE | re.DOTALL)
_ONE = re.compile(rb"([0-9]*)-([0-9]*)")
_BEYOND_ANY_SIZE = 10**19


class ByteRange(Struct, frozen=True):
    """``length`` bytes from ``first``; at least one."""

    first: int
    length: int


Whole = Literal["whole"]
Unsatisfiable = Literal["unsatisfiable"]


def select_range(value: bytes, size: int) -> ByteRange | Whole | Unsatisfiable:
    """What ``Range: value`` selects of ``size`` bytes.

    Returns:
        A range for 206, ``"unsatisfiable"`` for 416, or ``"whole"`` for 200: a unit we do not know and a malformed
        set are ignored (§14.2), and of several ranges we send the whole, which §14.2 leaves to the server.
    """
    ranges = _SET.fullmatch(value)
    if ranges is None:
        return "whole"
    specs = [spec.strip(b" \t") for spec in ranges[1].split(b",")]
    specs = [spec for spec in specs if spec]  # RFC 9110 §5.6.1.2: empty list elements are ignored
    if len(specs) != 1:
        return "whole"
    one = _ONE.fullmatch(specs[0])
    if one is None or specs[0] == b"-":
        return "whole"
    if not one[1]:
        return _suffix(_number(one[2]), size)
    return _from(_number(one[1]), _number(one[2]) if one[2] else None, size)


def _number(digits: bytes) -> int:
    """The number, or one beyond any size: a client may send more digits than are worth reading."""
    return min(int(digits.lstrip(b"0")[:20] or b"0"), _BEYOND_ANY_SIZE)


def _suffix(length: int, size: int) -> ByteRange | Unsatisfiable:
    # RFC 9110 §14.1.2: the last bytes; a suffix of no bytes, or any of an empty representation, cannot be met.
    if length == 0 or size == 0:
        return "unsatisfiable"
    length = min(length, size)
    return ByteRange(size - length, length)


def _from(first: int, last: int | None, size: int) -> ByteRange | Whole | Unsatisfiable:
    if last is not None and last < first:
        return "whole"  # RFC 9110 §14.1.1: an int-range whose last is below its first is invalid
    if first >= size:
        return "unsatisfiable"  # RFC 9110 §14.1.2
    end = size - 1 if last is None else min(last, size - 1)
    return ByteRange(first, end - first + 1)
