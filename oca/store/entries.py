"""The values in an index, as bytes and back: where an object lies, and what is said of a pack. Pure."""

from __future__ import annotations

import struct
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from oca.common.errors import StoreError
from oca.common.messages import AssetId, Count, HexDigest, Nanoseconds
from oca.store.records import Located

REBUILD = "make it anew with 'oca store rebuild'"
_ENTRY = struct.Struct("<IIQQ16s")


class PackEntry(Struct, frozen=True, array_like=True, gc=False):
    """What the index says of a pack; ``bytes`` is the length of its file."""

    asset: AssetId
    revision: HexDigest
    bytes: Count
    objects: Annotated[int, Meta(ge=1)]
    committed_at_ns: Nanoseconds


encode_pack = msgspec.msgpack.Encoder().encode
decode_pack = msgspec.msgpack.Decoder(PackEntry).decode


def encode_entry(pack: int, offset: int, length: int, *, digest: bytes, media_type: str, modified_at_s: int) -> bytes:
    """The value under an object's path."""
    return _ENTRY.pack(pack, modified_at_s, offset, length, digest) + media_type.encode()


def decode_entry(value: bytes, device: int) -> Located:
    """The value under an object's path, as read on ``device``.

    Raises:
        StoreError: It is no entry.
    """
    try:
        pack, modified_at_s, offset, length, digest = _ENTRY.unpack_from(value)
        return Located(device, pack, offset, length, digest, value[_ENTRY.size :].decode(), modified_at_s)
    except (struct.error, UnicodeDecodeError) as error:
        raise StoreError(
            f"[store] devices, number {device + 1}: the index is damaged: {error}", remedy=REBUILD
        ) from None


def pack_of(value: bytes) -> int:
    """The number of the pack that an object's entry names.

    Raises:
        struct.error: It is no entry.
    """
    number: int = _ENTRY.unpack_from(value)[0]
    return number
