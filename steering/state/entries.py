"""What the shared log holds, and how large changes are cut into messages of bounded size. Pure.

A writer begins, commits or gives up; each entry is taken only right after the one that its writer saw last. So writers
follow each other, and one that lost its turn cannot write any more.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from oca.common.errors import SteeringError

CHUNK_BYTES = 256 * 2**10
"""Of a message's body: a quarter of what servers take at their defaults."""
_CHANGES_BYTES_MAX = 2**31
_LEVEL = 1

Changes = list[tuple[str, bytes | None]]


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One word of a writer. ``begin`` said again prolongs its turn."""

    kind: Literal["begin", "commit", "end"]
    turn: str
    """Names this turn of this writer, once and for all."""
    writer: str
    after: int
    """The number of the entry before it: a reader that has seen another as its last has missed some."""
    lease_s: float = 0.0
    """How long after it the turn is over by itself."""
    body: bytes = b""
    """A commit's changes, packed; empty where they lie in ``parts``."""
    parts: list[int] = []
    """Numbers of the messages that hold the changes, in order."""


class Manifest(Struct, frozen=True, kw_only=True):
    """What the parts of a snapshot are, and up to which entry of which log it has everything."""

    log: str
    position: int
    parts: list[int]
    entries: int
    bytes: int


_decode_entry = msgspec.msgpack.Decoder(Entry).decode
_decode_manifest = msgspec.msgpack.Decoder(Manifest).decode
_decode_changes = msgspec.msgpack.Decoder(Changes).decode
_encode = msgspec.msgpack.Encoder().encode


def encode(message: Entry | Manifest) -> bytes:
    """As it goes into the log."""
    return _encode(message)


def read_entry(raw: bytes) -> Entry:
    """An entry of the log.

    Raises:
        SteeringError: It is none.
    """
    try:
        return _decode_entry(raw)
    except msgspec.DecodeError as error:
        raise _strange("an entry of the log", error) from None


def read_manifest(raw: bytes) -> Manifest:
    """What describes a snapshot.

    Raises:
        SteeringError: It is none.
    """
    try:
        return _decode_manifest(raw)
    except msgspec.DecodeError as error:
        raise _strange("a snapshot", error) from None


def pack(changes: Mapping[str, bytes | None]) -> bytes:
    """Changes as bytes."""
    return zlib.compress(_encode(list(changes.items())), _LEVEL)


def unpack(raw: bytes) -> Changes:
    """The changes again.

    Raises:
        SteeringError: They are damaged, or grow too large.
    """
    try:
        opened = zlib.decompressobj()
        body = opened.decompress(raw, _CHANGES_BYTES_MAX)
        if not opened.eof:
            raise _strange("a change", "it is cut short or too large")
        return _decode_changes(body)
    except (zlib.error, msgspec.DecodeError) as error:
        raise _strange("a change", error) from None


def cut(body: bytes, size: int = CHUNK_BYTES) -> Sequence[bytes]:
    """The body in pieces of ``size`` at most."""
    return [body[start : start + size] for start in range(0, len(body), size)]


def in_packs(pairs: Iterable[tuple[str, bytes]], size: int = CHUNK_BYTES) -> Iterator[tuple[int, bytes]]:
    """Pairs in packs of about ``size`` before they are packed: how many pairs, and the pack."""
    gathered: dict[str, bytes | None] = {}
    held = 0
    for key, value in pairs:
        if gathered and held + len(value) > size:
            yield len(gathered), pack(gathered)
            gathered, held = {}, 0
        gathered[key] = value
        held += len(key) + len(value)
    if gathered:
        yield len(gathered), pack(gathered)


def _strange(what: str, why: object) -> SteeringError:
    return SteeringError(
        f"{what} in the shared state cannot be read: {why}",
        remedy="let one release of steering and nothing else use these streams",
    )
