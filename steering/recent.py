"""What was used lately, kept without order and within bounds. Pure."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Keeps the ``keep`` entries used last, and at most as many older ones; those being forgotten may be as many again.

    Two dictionaries take turns: when the younger is full it becomes the older, and what the older still held is
    forgotten: not at once, which took up to 60 ms for some thousands of entries, but one with each that comes. A use
    costs one look-up, with no list to mend, and threads may use it side by side: the worst that can come of it is that
    something is made twice.
    """

    __slots__ = ("_forgotten", "_keep", "_old", "_young")

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._young: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}
        self._forgotten: dict[Key, Value] = {}

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def get(self, key: Key) -> Value | None:
        """What was kept for ``key``; None: nothing."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: Key, value: Value) -> None:
        """Keep ``value``, which is not None."""
        if len(self._young) >= self._keep:
            self._forgotten, self._old, self._young = self._old, self._young, {}
        elif self._forgotten:
            with suppress(KeyError):  # another thread has taken the last
                self._forgotten.popitem()
        self._young[key] = value

    def clear(self) -> None:
        """Forget everything."""
        self._young, self._old, self._forgotten = {}, {}, {}
