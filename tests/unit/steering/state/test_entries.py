from __future__ import annotations

import zlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oca.common.errors import SteeringError
from steering.state import entries
from steering.state.entries import Entry, Manifest, cut, encode, in_packs, pack, read_entry, read_manifest, unpack


def test_entry_and_manifest_are_read_as_written() -> None:
    entry = Entry(kind="commit", turn="a.1", writer="a", after=2, body=b"x", parts=[3, 4])
    manifest = Manifest(log="made", position=7, parts=[1], entries=2, bytes=3)
    assert read_entry(encode(entry)) == entry
    assert read_manifest(encode(manifest)) == manifest


@pytest.mark.parametrize("raw", [b"", b"\xc1", msgspec.msgpack.encode({"kind": "other", "turn": "", "writer": ""})])
def test_strange_message_is_named_with_remedy(raw: bytes) -> None:
    with pytest.raises(SteeringError, match=r"an entry of the log in the shared state cannot be read.*one release"):
        read_entry(raw)
    with pytest.raises(SteeringError, match="a snapshot in the shared state cannot be read"):
        read_manifest(raw)


@settings(max_examples=30)
@given(st.dictionaries(st.text(max_size=5), st.none() | st.binary(max_size=50)), st.integers(1, 40))
def test_changes_survive_packing_and_cutting(changes: dict[str, bytes | None], size: int) -> None:
    pieces = cut(pack(changes), size)
    assert max(map(len, pieces)) <= size
    assert unpack(b"".join(pieces)) == list(changes.items())


@pytest.mark.parametrize("raw", [b"", b"x", zlib.compress(b"\xc1"), pack({"a": b"b"})[:-1]])
def test_damaged_changes_are_an_error(raw: bytes) -> None:
    with pytest.raises(SteeringError, match="a change in the shared state cannot be read"):
        unpack(raw)


def test_changes_that_grow_without_bound_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "_CHANGES_BYTES_MAX", 1000)
    with pytest.raises(SteeringError, match="too large"):
        unpack(pack({"a": bytes(5000)}))


@given(st.dictionaries(st.text(max_size=5), st.binary(max_size=50)))
def test_packs_hold_all_pairs_in_order(pairs: dict[str, bytes]) -> None:
    packs = list(in_packs(pairs.items(), size=60))
    assert [pair for _, packed in packs for pair in unpack(packed)] == list(pairs.items())
    assert [count for count, _ in packs] == [len(unpack(packed)) for _, packed in packs]
