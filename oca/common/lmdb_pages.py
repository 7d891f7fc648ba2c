"""Whether an LMDB file can be read, found out by reading it before LMDB does.

LMDB maps its file: a page that lies behind the file's end or on a bad block ends the process with SIGBUS, which no
``except`` sees. Read as a file, the same page is an error that can be told. What follows is LMDB 0.9's format on
64-bit little-endian machines (``mdb.c``: MDB_page, MDB_meta, MDB_db, MDB_node).

The file's length alone does not tell: LMDB writes no page that a transaction took at the end and freed again, so a
sound file may be shorter than its last page number says. So the pages are walked from the roots.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

_META = struct.Struct("<IIQQ48s48sQQ")
_META_OFFSET = 16
_MAGIC = 0xBEEFC0DE
_VERSION = 1
_TREE = struct.Struct("<IHHQQQQQ")
_PAGE = struct.Struct("<QHHHH")
_NODE = struct.Struct("<HHHH")
_NUMBER = struct.Struct("<Q")
_BRANCH, _LEAF, _OVERFLOW = 1, 2, 4
_BIG, _TREE_INSIDE = 1, 2
_NO_ROOT = 2**64 - 1
_DEPTH_MAX = 32
_META_BYTES = 512
_PAGE_BYTES_MIN, _PAGE_BYTES_MAX = 512, 2**16
UNREADABLE = "it cannot be read"
"""Begins the reason where the device fails, rather than what lies on it."""
READ_PAGES_MAX = 256
"""So many leaves that lie side by side are read at once."""
LEAVES_READ_BYTES_MAX = 512 * 2**20
"""In a larger file leaves are only looked for, not read: that would take longer than a start may."""


class _UnreadableError(Exception):
    """A page is not what its tree says; a value by the time it leaves this module."""


def damage(path: Path, transaction: int) -> str:
    """Why the file cannot be relied on, as ``transaction`` left it; empty if it can.

    The caller holds a read transaction of that number, so that no writer takes its pages meanwhile.

    Raises:
        OSError: The file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _Pages(descriptor, transaction).walk()
    except _UnreadableError as error:
        return str(error)
    except OSError as error:
        return f"{UNREADABLE}: {error.strerror}"
    except struct.error:
        return "a page holds what no page does"
    finally:
        os.close(descriptor)
    return ""


class _Pages:
    """The file, page by page."""

    def __init__(self, descriptor: int, transaction: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._roots: tuple[bytes, ...] = ()
        self._page_bytes = 0
        self._read_meta(0, transaction)
        self._read_meta(self._page_bytes, transaction)

    def walk(self) -> None:
        """Visit every page that holds something."""
        for tree, names_trees in zip(self._roots, (False, True), strict=False):
            self._walk_tree(tree, names_trees=names_trees)

    def _read_meta(self, offset: int, transaction: int) -> None:
        page = os.pread(self._descriptor, _META_BYTES, offset)
        magic, version, _, _, free, main, _, number = _META.unpack_from(page, _META_OFFSET)
        self._page_bytes = _TREE.unpack(free)[0]
        if (magic, version) != (_MAGIC, _VERSION) or not _PAGE_BYTES_MIN <= self._page_bytes <= _PAGE_BYTES_MAX:
            raise _UnreadableError(f"no LMDB file of format {_VERSION}")
        if number == transaction:
            self._roots = (free, main)

    def _walk_tree(self, tree: bytes, *, names_trees: bool) -> None:
        _, _, depth, _, _, overflowing, _, root = _TREE.unpack(tree)
        if root == _NO_ROOT:
            return
        if not 0 < depth <= _DEPTH_MAX:
            raise _UnreadableError(f"a tree of depth {depth}")
        level = [root]
        for _ in range(depth - 1):
            level = [child for number in level for child in self._children(number)]
            if len(level) > self._size // self._page_bytes:
                raise _UnreadableError("more pages are named than it has")
        leads_on = bool(overflowing) or names_trees
        if self._size > LEAVES_READ_BYTES_MAX and not leads_on:
            self._require(max(level))
            return
        level.sort()  # as they lie in the file: a device that is asked so reads ahead
        if not leads_on:
            self._check_leaves(level)
            return
        for number in level:
            self._walk_leaf(self._page(number, _LEAF), names_trees=names_trees)

    def _check_leaves(self, level: list[int]) -> None:
        """Read leaves that name nothing further."""
        for run in _runs(level):
            self._require(run[-1])
            span = self._span(run)
            for at, number in enumerate(run):
                self._check(span, at * self._page_bytes, number, _LEAF)

    def _span(self, run: range) -> bytes:
        """The pages of a run, in one piece; a read that comes short at a bad block is followed by one that fails."""
        start, wanted = run[0] * self._page_bytes, len(run) * self._page_bytes
        span = os.pread(self._descriptor, wanted, start)
        while len(span) < wanted:
            more = os.pread(self._descriptor, wanted - len(span), start + len(span))
            if not more:
                raise _UnreadableError(f"it is cut short at page {run[0] + len(span) // self._page_bytes}")
            span += more
        return span

    def _children(self, number: int) -> Iterator[int]:
        page = self._page(number, _BRANCH)
        for offset in _offsets(page):
            low, middle, high, _ = _NODE.unpack_from(page, offset)
            yield low | middle << 16 | high << 32

    def _walk_leaf(self, page: bytes, *, names_trees: bool) -> None:
        """Follow what a leaf's nodes name: values too long for it, and trees with names of their own."""
        for offset in _offsets(page):
            _, _, flags, key_bytes = _NODE.unpack_from(page, offset)
            data = offset + _NODE.size + key_bytes
            if flags & _TREE_INSIDE and names_trees:
                self._walk_tree(page[data : data + _TREE.size], names_trees=False)
            elif flags & _BIG:
                self._read_value(_NUMBER.unpack_from(page, data)[0])

    def _read_value(self, number: int) -> None:
        page = self._page(number, _OVERFLOW)
        _, _, _, low, high = _PAGE.unpack_from(page)
        for following in range(number + 1, number + (low | high << 16)):
            self._read(following)

    def _page(self, number: int, kind: int) -> bytes:
        page = self._read(number)
        self._check(page, 0, number, kind)
        return page

    def _check(self, pages: bytes, offset: int, number: int, kind: int) -> None:
        found, _, flags, lower, upper = _PAGE.unpack_from(pages, offset)
        if found != number or not flags & kind:
            raise _UnreadableError(f"page {number} holds something else")
        if kind != _OVERFLOW and not _PAGE.size <= lower <= upper <= self._page_bytes:
            raise _UnreadableError(f"page {number} contradicts itself")

    def _read(self, number: int) -> bytes:
        self._require(number)
        return os.pread(self._descriptor, self._page_bytes, number * self._page_bytes)

    def _require(self, number: int) -> None:
        if (number + 1) * self._page_bytes > self._size:
            raise _UnreadableError(f"it is cut short: {self._size} bytes do not reach page {number}")


def _runs(numbers: Sequence[int]) -> Iterator[range]:
    """Numbers in rising order as runs of such that follow one another, ``READ_PAGES_MAX`` long at most."""
    start = 0
    for place, number in enumerate(numbers):
        following = numbers[place + 1] if place + 1 < len(numbers) else -1
        if following != number + 1 or place + 1 - start == READ_PAGES_MAX:
            yield range(numbers[start], number + 1)
            start = place + 1


def _offsets(page: bytes) -> tuple[int, ...]:
    """Where the nodes of a branch or leaf begin in it."""
    _, _, _, lower, _ = _PAGE.unpack_from(page)
    return struct.unpack_from(f"<{(lower - _PAGE.size) // 2}H", page, _PAGE.size)
