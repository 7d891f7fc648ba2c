from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.common.errors import SteeringError
from steering.state import overlay
from steering.state.overlay import Overlay

KEYS = st.sampled_from(["a", "a/1", "a/10", "a/2", "a/ä", "b", "z" * 200])


class Below(dict[str, bytes]):
    """A state as a plain dictionary."""

    def scan(self, prefix: str, *, start: str = "") -> Iterator[tuple[str, bytes]]:
        for key in sorted(self, key=str.encode):
            if key.startswith(prefix) and key.encode() >= start.encode():
                yield key, self[key]


@given(
    below=st.dictionaries(KEYS, st.binary(max_size=3)),
    steps=st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=3))),
    prefix=st.sampled_from(["", "a", "a/", "b"]),
    start=st.sampled_from(["", "a/10", "b"]),
)
def test_overlay_reads_as_if_it_were_written(
    below: dict[str, bytes], steps: list[tuple[str, bytes | None]], prefix: str, start: str
) -> None:
    over, wanted = Overlay(Below(below)), Below(below)
    for key, value in steps:
        if value is None:
            over.delete(key)
            wanted.pop(key, None)
        else:
            over.put(key, value)
            wanted[key] = value
    assert list(over.scan(prefix, start=start)) == list(wanted.scan(prefix, start=start))
    assert all(over.get(key) == wanted.get(key) for key in ["a", "a/1", "b", "never"])
    assert over.changes == dict(steps)


@pytest.mark.parametrize("key", ["", "ä" * 256])
def test_overlay_refuses_key_that_no_copy_could_hold(key: str) -> None:
    with pytest.raises(SteeringError, match=r"has (0|512) bytes, limit 511; shorten the name"):
        Overlay(Below()).put(key, b"")


def test_overlay_refuses_change_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlay, "TRANSACTION_BYTES_MAX", 10)
    over = Overlay(Below())
    over.put("a", b"12345")
    over.put("a", b"123456789")
    over.delete("a")
    over.put("a", b"12345678")
    with pytest.raises(SteeringError, match="larger than 10 bytes; make it in parts"):
        over.put("b", b"1")
