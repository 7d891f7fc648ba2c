"""The Range field (RFC 9110 §14): which bytes of a representation a GET asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

RANGES_MAX = 16
"""Ranges answered one by one unless told otherwise."""
GAP_BYTES_MAX = 160
"""Ranges that lie no further apart are sent as one: the head of a part is about as large as the gap."""
EMPTY_ELEMENTS_MAX = 16
"""Empty list elements passed over (RFC 9110 §5.6.1.2: "a reasonable number")."""

PART_BYTES_MAX = 2**40
"""Of what is taken for the length of a part: beyond any object."""

_SET = re.compile(rb"bytes=(.*)", re.IGNORECASE | re.DOTALL)
_ONE = re.compile(rb"([0-9]*)-([0-9]*)")
_BEYOND_ANY_SIZE = 10**19


class ByteRange(Struct, frozen=True):
    """``length`` bytes from ``first``; at least one."""

    first: int
    length: int


Whole = Literal["whole"]
Unsatisfiable = Literal["unsatisfiable"]


def select_ranges(
    value: bytes, size: int, *, ranges_max: int = RANGES_MAX
) -> tuple[ByteRange, ...] | Whole | Unsatisfiable:
    """What ``Range: value`` selects of ``size`` bytes.

    Returns:
        Ranges for 206 in the order asked for, no two touching; ``"unsatisfiable"`` for 416; or ``"whole"`` for 200. A
        unit we do not know and a malformed set are ignored (§14.2), and so is a set that asks for more ranges than
        ``ranges_max``, for some bytes twice over or for more than there are: nothing that a player needs, and cheap to
        ask for. Of nothing there is no range to tell of (§14.4): ffmpeg asks ``bytes=0-`` of an empty subtitle too.
    """
    ranges = _SET.fullmatch(value)
    if ranges is None or size == 0 or ranges[1].count(b",") > ranges_max + EMPTY_ELEMENTS_MAX:
        return "whole"
    specs = [spec for part in ranges[1].split(b",") if (spec := part.strip(b" \t"))]
    if not specs or len(specs) > max(ranges_max, 1):
        return "whole"
    found = [_select(spec, size) for spec in specs]
    if "whole" in found:
        return "whole"
    met = [each for each in found if isinstance(each, ByteRange)]
    if not met:
        return "unsatisfiable"
    # §14.2 lets a server ignore what looks like an attack; one that wants the bytes once never asks for more than all.
    if sum(each.length for each in met) > size:
        return "whole"
    return _coalesced(met)


def named_bytes(value: bytes | None) -> int | None:
    """How many bytes ``Range: value`` names, of something whose size is not known; None: it names no length."""
    found = select_ranges(value, _BEYOND_ANY_SIZE) if value is not None else ()
    total = sum(each.length for each in found if isinstance(each, ByteRange))
    return total if 0 < total <= PART_BYTES_MAX else None


def _select(spec: bytes, size: int) -> ByteRange | Whole | Unsatisfiable:
    one = _ONE.fullmatch(spec)
    if one is None or spec == b"-":
        return "whole"
    if not one[1]:
        return _suffix(_number(one[2]), size)
    return _from(_number(one[1]), _number(one[2]) if one[2] else None, size)


def _coalesced(ranges: Sequence[ByteRange]) -> tuple[ByteRange, ...]:
    """Join what overlaps or nearly touches (RFC 9110 §15.3.7.2), at the place of the first of them."""
    if len(ranges) == 1:
        return (ranges[0],)
    joined: list[tuple[int, int, int]] = []
    """First byte, end, and place in the order asked for."""
    for first, end, place in sorted((each.first, each.first + each.length, place) for place, each in enumerate(ranges)):
        if joined and first <= joined[-1][1] + GAP_BYTES_MAX:
            before = joined[-1]
            joined[-1] = (before[0], max(before[1], end), min(before[2], place))
        else:
            joined.append((first, end, place))
    return tuple(ByteRange(first, end - first) for first, end, _ in sorted(joined, key=lambda each: each[2]))


def _number(digits: bytes) -> int:
    """The number, or one beyond any size: a client may send more digits than are worth reading."""
    return min(int(digits.lstrip(b"0")[:20] or b"0"), _BEYOND_ANY_SIZE)


def _suffix(length: int, size: int) -> ByteRange | Unsatisfiable:
    if length == 0:  # RFC 9110 §14.1.2: the last bytes, of which there must be one
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
