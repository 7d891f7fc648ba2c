"""Longest-prefix match over many prefixes: a dictionary for each length, probed from the longest.

A change is one dictionary operation, so a table of a million prefixes is kept up while it is looked at. 1.2 M prefixes
take 0.1 GB, a look-up 1 to 3 µs. Addresses are integers; reading them from text is address.py's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from oca.common.prefix import BITS, Prefix

Value = TypeVar("Value")


class PrefixMap(Generic[Value]):
    """What belongs to each prefix, both families."""

    def __init__(self) -> None:
        self._tables: dict[int, dict[int, dict[int, Value]]] = {4: {}, 6: {}}
        self._probes: dict[int, list[tuple[int, int, dict[int, Value]]]] = {4: [], 6: []}

    def table(self, version: int, length: int) -> dict[int, Value]:
        """The prefixes of one length, by their leading bits: whoever changes many at once changes it directly."""
        tables = self._tables[version]
        table = tables.get(length)
        if table is None:
            table = tables[length] = {}
            bits = BITS[version]
            self._probes[version] = [(bits - size, size, tables[size]) for size in sorted(tables, reverse=True)]
        return table

    @property
    def is_used(self) -> bool:
        """Whether any length has been asked for."""
        return any(self._tables.values())

    def put(self, prefix: Prefix, value: Value) -> None:
        """Set what belongs to ``prefix``."""
        self.table(prefix.version, prefix.length)[prefix.number] = value

    def covering(self, version: int, number: int) -> list[tuple[int, Value]]:
        """The prefixes that hold the address ``number``, longest first: the length of each, and what belongs to it."""
        found = []
        for shift, length, table in self._probes[version]:
            value = table.get(number >> shift)
            if value is not None:
                found.append((length, value))
        return found

    def tables(self) -> Iterator[tuple[int, int, dict[int, Value]]]:
        """Each length that is used: its version, itself, and its prefixes by their leading bits."""
        for version, tables in self._tables.items():
            for length, table in list(tables.items()):
                yield version, length, table

    def items(self) -> Iterator[tuple[Prefix, Value]]:
        """All of them; each length as it is when its turn comes."""
        for version, length, table in self.tables():
            for number, value in list(table.items()):
                yield Prefix(version, length, number), value
