"""xxh3-128, the digest of every object, asset revision and content list.

It finds damage and lies by accident, not forgery: what must not be forged is signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import xxhash

DIGEST_BYTES = 16


class Hasher(Protocol):
    """Takes bytes as they arrive; any bytes-like object, no copy."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take in ``data``."""

    def digest(self) -> bytes:
        """The digest so far, 16 bytes."""

    def hexdigest(self) -> str:
        """The digest so far, 32 lower-case hexadecimal digits."""


def hasher() -> Hasher:
    """A fresh xxh3-128 state."""
    return xxhash.xxh3_128()


def digest_hex(data: bytes | bytearray | memoryview) -> str:
    """The digest of ``data`` as 32 lower-case hexadecimal digits."""
    return xxhash.xxh3_128_hexdigest(data)


def digest_bytes(data: bytes | bytearray | memoryview) -> bytes:
    """The digest of ``data`` as 16 bytes."""
    return xxhash.xxh3_128_digest(data)


def digest_number(data: bytes) -> int:
    """The digest of ``data`` as a whole number."""
    return xxhash.xxh3_128_intdigest(data)


def digests_of(texts: Iterable[str]) -> bytes:
    """The digests of many texts, one after the other, as 16 bytes each."""
    digest = xxhash.xxh3_128_digest
    return b"".join([digest(text.encode()) for text in texts])


def digest_numbers(tail: bytes) -> Callable[[str], int]:
    """The digest of a text with ``tail`` after it, as a whole number, for many texts."""
    number = xxhash.xxh3_128_intdigest
    return lambda text: number(text.encode() + tail)


def revision_of(objects: list[tuple[str, str]]) -> str:
    """The revision of an asset: the digest over its (path, digest) pairs in path order.

    Two places that name the same revision hold the same bytes under the same paths.
    """
    state = xxhash.xxh3_128()
    for path, digest in sorted(objects):
        state.update(f"{path}\0{digest}\n".encode())
    return state.hexdigest()


def rendezvous_score(key: str, member: str) -> int:
    """Highest-random-weight score of ``member`` for ``key`` (Thaler and Ravishankar, 1998)."""
    return xxhash.xxh3_64_intdigest(f"{key}\0{member}".encode())


def rendezvous_scores(key: str, members: Iterable[bytes]) -> list[int]:
    """``rendezvous_score`` of each of ``members``, whose names come encoded."""
    head, score = f"{key}\0".encode(), xxhash.xxh3_64_intdigest
    return [score(head + member) for member in members]
