"""The pack's format: what is written is read again, and hostile bytes are one named error."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.common.digest import digest_bytes
from oca.common.errors import StoreError
from oca.common.messages import AssetManifest
from oca.store import pack
from tests.unit.store.made_up import make_contents, make_manifest

MANIFEST = make_manifest(make_contents(objects=3, size=10))
TABLE = pack.table_of(MANIFEST, committed_at_ns=1_800_000_000_000_000_000)
TAIL = pack.encode_tail(TABLE)
TABLE_OFFSET = pack.offsets([item.bytes for item in MANIFEST.objects])[-1]
PACK_BYTES = TABLE_OFFSET + len(TAIL)
HEADER = pack.encode_header(MANIFEST.asset, MANIFEST.revision)


def read_tail(tail: bytes) -> pack.PackTable:
    size = TABLE_OFFSET + len(tail)
    footer = pack.decode_footer(tail[-pack.FOOTER_BYTES :], pack_bytes=size, where="p")
    start = footer.table_offset - TABLE_OFFSET
    if start < 0:
        raise pack.PackDamagedError("before the tail", remedy="")
    return pack.decode_table(tail[start : start + footer.table_bytes], footer, where="p")


def tail_of(body: bytes, table_offset: int = TABLE_OFFSET) -> bytes:
    """A tail with right digest around any body."""
    digested = pack._FOOTER_DIGESTED.pack(pack._FOOTER_MAGIC, table_offset, len(body))
    digest = digest_bytes(body + digested)
    return body + pack._FOOTER.pack(pack._FOOTER_MAGIC, table_offset, len(body), digest, b"")


def with_objects(objects: list[pack.PackedObject]) -> bytes:
    return msgspec.msgpack.encode(msgspec.structs.replace(TABLE, objects=objects))


def test_header_reads_back_what_was_written() -> None:
    assert len(HEADER) == pack.HEADER_BYTES
    assert pack.decode_header(HEADER, where="p") == pack.PackHeader(MANIFEST.asset, MANIFEST.revision)


def test_tail_reads_back_what_was_written() -> None:
    assert read_tail(TAIL) == TABLE


def test_offsets_begin_at_pages_after_header_and_end_at_table() -> None:
    assert pack.offsets([5, 0, 4096, 4097]) == [4096, 8192, 8192, 12288, 20480]


@given(position=st.integers(0, 150), value=st.integers(1, 255))
def test_header_refuses_any_changed_byte_of_its_content(position: int, value: int) -> None:
    raw = bytearray(HEADER)
    raw[position] ^= value
    content_bytes = len(HEADER.rstrip(b"\0"))
    if position < content_bytes - 1:
        with pytest.raises(pack.PackDamagedError):
            pack.decode_header(bytes(raw), where="p")


@given(position=st.integers(0, len(TAIL) - 1 - 24), value=st.integers(1, 255))
def test_tail_refuses_any_changed_byte(position: int, value: int) -> None:
    raw = bytearray(TAIL)
    raw[position] ^= value
    with pytest.raises(pack.PackDamagedError):
        read_tail(bytes(raw))


@given(st.binary(max_size=200))
def test_header_refuses_noise(noise: bytes) -> None:
    for raw in (noise, noise.ljust(pack.HEADER_BYTES, b"\0"), (HEADER[:8] + noise).ljust(pack.HEADER_BYTES, b"\0")):
        with pytest.raises(pack.PackDamagedError):
            pack.decode_header(raw, where="p")


@given(st.binary(max_size=400))
def test_tail_refuses_noise_in_whole_wrapping(noise: bytes) -> None:
    with pytest.raises(pack.PackDamagedError):
        read_tail(tail_of(noise))


@given(st.binary(max_size=100))
def test_footer_refuses_noise(noise: bytes) -> None:
    for raw in (noise, TAIL[-pack.FOOTER_BYTES :][:8] + noise[:56].ljust(56, b"\0")):
        with pytest.raises(pack.PackDamagedError):
            pack.decode_footer(raw, pack_bytes=PACK_BYTES, where="p")


@pytest.mark.parametrize("cut", [1, 64, len(TAIL) - 1, len(TAIL)])
def test_tail_refuses_truncation(cut: int) -> None:
    with pytest.raises(pack.PackDamagedError):
        read_tail(TAIL[: len(TAIL) - cut])


def test_header_refuses_body_that_is_not_as_agreed() -> None:
    body = msgspec.msgpack.encode(["../../etc", "x"])
    head = pack._HEADER_HEAD.pack(pack._HEADER_MAGIC, len(body)) + body
    with pytest.raises(pack.PackDamagedError, match="not as agreed"):
        pack.decode_header((head + digest_bytes(head)).ljust(pack.HEADER_BYTES, b"\0"), where="p")


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([msgspec.structs.replace(TABLE.objects[0], path="/../x"), *TABLE.objects[1:]], "not as agreed"),
        ([msgspec.structs.replace(TABLE.objects[0], digest=b"short"), *TABLE.objects[1:]], "not as agreed"),
        ([], "not as agreed"),
        (TABLE.objects[1:], "differ in length"),
        (
            [TABLE.objects[0], msgspec.structs.replace(TABLE.objects[1], path=TABLE.objects[0].path), TABLE.objects[2]],
            "a path twice",
        ),
    ],
)
def test_tail_refuses_table_that_cannot_be(objects: list[pack.PackedObject], message: str) -> None:
    with pytest.raises(pack.PackDamagedError, match=message):
        read_tail(tail_of(with_objects(objects)))


def test_footer_refuses_table_beyond_limit() -> None:
    with pytest.raises(pack.PackDamagedError, match="points outside"):
        pack.decode_footer(
            pack._FOOTER.pack(pack._FOOTER_MAGIC, 4096, pack.TABLE_BYTES_MAX + 1, b"", b""),
            pack_bytes=4096 + pack.TABLE_BYTES_MAX + 1 + pack.FOOTER_BYTES,
            where="p",
        )


def test_manifest_passes_when_it_adds_up() -> None:
    pack.check_manifest(MANIFEST)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (msgspec.structs.replace(MANIFEST, objects=[*MANIFEST.objects, MANIFEST.objects[0]]), "a path twice"),
        (msgspec.structs.replace(MANIFEST, bytes=MANIFEST.bytes + 1), "add up to"),
        (msgspec.structs.replace(MANIFEST, revision="0" * 32), "not those of revision"),
    ],
)
def test_manifest_is_refused_when_it_contradicts_itself(manifest: AssetManifest, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        pack.check_manifest(manifest)
