"""The format of a pack: one asset in one file that describes itself, so that an index can be made from packs alone.

::

    header  4096 B  magic, length, msgpack (asset, revision), xxh3-128 over all before it, zeros
    objects         in the manifest's order, each from the start of a page, zeros between
    table           msgpack: what is asked of each object
    footer    64 B  magic, table offset, table length, xxh3-128 over table and what precedes it in the footer, zeros

Bytes from a device are hostile: anything out of place is a ``PackDamagedError``, never a guess. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from oca.common.digest import DIGEST_BYTES, digest_bytes, revision_of
from oca.common.errors import StoreError
from oca.common.messages import OBJECTS_MAX, AssetId, AssetManifest, Count, HexDigest, Nanoseconds, UrlPath
from oca.store.records import Digest

HEADER_BYTES = 4096
PAGE_BYTES = 4096
"""Objects begin where pages of memory do: ``sendfile`` then hands whole pages to the network. From 64 KiB up, an object
that begins within a page costs some 10 % more CPU."""
FOOTER_BYTES = 64
TABLE_BYTES_MAX = 64 * 2**20
_HEADER_MAGIC = b"OCAPACK\x02"
_FOOTER_MAGIC = b"OCATAIL\x02"
_HEADER_HEAD = struct.Struct("<8sI")
_FOOTER = struct.Struct("<8sQQ16s24s")
_FOOTER_DIGESTED = struct.Struct("<8sQQ")
_REBUILD = "run 'oca store verify', then let the fill fetch that asset again"


class PackDamagedError(StoreError):
    """Bytes that are no whole pack. Told from a device that fails: only these may be removed."""


class PackHeader(Struct, frozen=True, array_like=True):
    """Whose bytes follow; written first, so that a half-written pack can be known and gone on with."""

    asset: AssetId
    revision: HexDigest


class PackedObject(Struct, frozen=True, array_like=True, gc=False):
    """One object as the table has it; its offset follows from the lengths before it (``offsets``)."""

    path: UrlPath
    length: Count
    digest: Annotated[Digest, Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
    media_type: Annotated[str, Meta(pattern=r"\A[a-z]+/[a-zA-Z0-9.+-]+\Z", max_length=80)]


class PackTable(Struct, frozen=True, array_like=True):
    """Everything the index needs to know of a pack."""

    asset: AssetId
    revision: HexDigest
    modified_at_ns: Nanoseconds
    committed_at_ns: Nanoseconds
    objects: Annotated[list[PackedObject], Meta(min_length=1, max_length=OBJECTS_MAX)]


class Footer(Struct, frozen=True):
    """Where the table lies."""

    table_offset: int
    table_bytes: int
    digest: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode_header = msgspec.msgpack.Decoder(PackHeader).decode
_decode_table = msgspec.msgpack.Decoder(PackTable).decode


def check_manifest(manifest: AssetManifest) -> None:
    """Refuse a manifest that contradicts itself.

    Raises:
        StoreError: Naming the asset and what does not add up.
    """
    remedy = "publish the asset again"
    if len({item.path for item in manifest.objects}) != len(manifest.objects):
        raise StoreError(f"{manifest.asset}: its manifest names a path twice", remedy=remedy)
    total = sum(item.bytes for item in manifest.objects)
    if total != manifest.bytes:
        raise StoreError(
            f"{manifest.asset}: its manifest says {manifest.bytes} bytes, its objects add up to {total}", remedy=remedy
        )
    if revision_of([(item.path, item.digest) for item in manifest.objects]) != manifest.revision:
        raise StoreError(f"{manifest.asset}: its objects are not those of revision {manifest.revision}", remedy=remedy)


def table_of(manifest: AssetManifest, *, committed_at_ns: int) -> PackTable:
    """The table of the pack that holds ``manifest``."""
    return PackTable(
        asset=manifest.asset,
        revision=manifest.revision,
        modified_at_ns=manifest.modified_at_ns,
        committed_at_ns=committed_at_ns,
        objects=[
            PackedObject(item.path, item.bytes, bytes.fromhex(item.digest), item.media_type)
            for item in manifest.objects
        ],
    )


def offsets(lengths: Sequence[int]) -> list[int]:
    """Where each object of these lengths starts, and after the last one where the table does."""
    return list(accumulate(lengths, lambda start, length: page_end(start + length), initial=HEADER_BYTES))


def page_end(offset: int) -> int:
    """Where the next object starts after one that ends at ``offset``."""
    return -(-offset // PAGE_BYTES) * PAGE_BYTES


def encode_header(asset: str, revision: str) -> bytes:
    """The first ``HEADER_BYTES`` of a pack."""
    body = _encode(PackHeader(asset, revision))
    head = _HEADER_HEAD.pack(_HEADER_MAGIC, len(body)) + body
    return (head + digest_bytes(head)).ljust(HEADER_BYTES, b"\0")


def decode_header(raw: bytes, *, where: str) -> PackHeader:
    """Read a header.

    Raises:
        PackDamagedError: It is short, damaged, or no header.
    """
    if len(raw) != HEADER_BYTES or not raw.startswith(_HEADER_MAGIC):
        raise PackDamagedError(f"{where}: does not start as a pack of this version", remedy=_REBUILD)
    _, length = _HEADER_HEAD.unpack_from(raw)
    end = _HEADER_HEAD.size + length
    if end + DIGEST_BYTES > HEADER_BYTES or digest_bytes(raw[:end]) != raw[end : end + DIGEST_BYTES]:
        raise PackDamagedError(f"{where}: its header is damaged", remedy=_REBUILD)
    try:
        return _decode_header(raw[_HEADER_HEAD.size : end])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PackDamagedError(f"{where}: its header is not as agreed: {error}", remedy=_REBUILD) from None


def encode_tail(table: PackTable) -> bytes:
    """Table and footer, as they follow the last object."""
    body = _encode(table)
    table_offset = offsets([item.length for item in table.objects])[-1]
    digested = _FOOTER_DIGESTED.pack(_FOOTER_MAGIC, table_offset, len(body))
    return body + _FOOTER.pack(_FOOTER_MAGIC, table_offset, len(body), digest_bytes(body + digested), b"")


def decode_footer(raw: bytes, *, pack_bytes: int, where: str) -> Footer:
    """Read a footer, the last ``FOOTER_BYTES`` of a pack of ``pack_bytes``.

    Raises:
        PackDamagedError: It is short, or no footer, or points outside the pack.
    """
    if len(raw) != FOOTER_BYTES or not raw.startswith(_FOOTER_MAGIC):
        raise PackDamagedError(f"{where}: does not end as a pack of this version", remedy=_REBUILD)
    _, table_offset, table_bytes, digest, _ = _FOOTER.unpack(raw)
    if (
        table_bytes > TABLE_BYTES_MAX
        or table_offset < HEADER_BYTES
        or table_offset + table_bytes + FOOTER_BYTES != pack_bytes
    ):
        raise PackDamagedError(f"{where}: its footer points outside the pack", remedy=_REBUILD)
    return Footer(table_offset, table_bytes, digest)


def decode_table(raw: bytes, footer: Footer, *, where: str) -> PackTable:
    """Read a table.

    Raises:
        PackDamagedError: It is damaged, malformed, or contradicts the footer or itself.
    """
    digested = _FOOTER_DIGESTED.pack(_FOOTER_MAGIC, footer.table_offset, footer.table_bytes)
    if digest_bytes(raw + digested) != footer.digest:
        raise PackDamagedError(f"{where}: its table is damaged", remedy=_REBUILD)
    try:
        table = _decode_table(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PackDamagedError(f"{where}: its table is not as agreed: {error}", remedy=_REBUILD) from None
    if offsets([item.length for item in table.objects])[-1] != footer.table_offset:
        raise PackDamagedError(f"{where}: its table and its objects differ in length", remedy=_REBUILD)
    if len({item.path for item in table.objects}) != len(table.objects):
        raise PackDamagedError(f"{where}: its table names a path twice", remedy=_REBUILD)
    return table
