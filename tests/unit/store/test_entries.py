"""The values in an index: read back as written, and one named error for bytes that are none."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.common.errors import StoreError
from oca.store.entries import decode_entry, encode_entry, pack_of


def test_entry_reads_back_what_was_written() -> None:
    value = encode_entry(7, 4096, 10**12, digest=bytes(range(16)), media_type="video/mp4", modified_at_s=2**32 - 1)
    located = decode_entry(value, 3)
    assert (located.device, located.pack, located.offset, located.bytes) == (3, 7, 4096, 10**12)
    assert (located.digest, located.media_type, located.modified_at_s) == (bytes(range(16)), "video/mp4", 2**32 - 1)
    assert pack_of(value) == 7


@given(st.binary(max_size=80))
def test_entry_of_any_bytes_is_an_entry_or_one_named_error(value: bytes) -> None:
    with suppress(StoreError):
        assert decode_entry(value, 1).pack == pack_of(value)


@pytest.mark.parametrize("value", [b"", b"short", bytes(40) + b"\xff"])
def test_entry_that_is_none_is_refused(value: bytes) -> None:
    with pytest.raises(StoreError, match="devices, number 2: the index is damaged") as caught:
        decode_entry(value, 1)
    assert "oca store rebuild" in caught.value.remedy


def test_entry_that_is_cut_names_no_pack() -> None:
    with pytest.raises(struct.error):
        pack_of(b"short")
