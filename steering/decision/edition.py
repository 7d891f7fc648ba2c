"""A title as published, with what every decision about it asks for: reckoned once, as long as it is in use. Pure."""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

from steering.fleet.holders import Holding, lines_of
from steering.titles.catalogue import AssetSummary, Title

HOLDINGS_MAX = 256
_encode = msgspec.json.Encoder().encode
_PLAIN = re.compile(r"[ !#-\[\]-~]*")
"""What JSON writes as it is."""
_NOTHING: frozenset[str] = frozenset()


class Entry(Struct, frozen=True, gc=False):
    """JSON about one asset: ``"name":["BASE/entry","BASE/entry"]``, where base URLs go between these three pieces."""

    asset: str
    opens: str
    between: str
    closes: str


class Edition:
    """One title. ``whole``: all of its assets."""

    __slots__ = ("_entries", "_held", "title", "whole")

    def __init__(self, title: Title) -> None:
        self.title = title
        self.whole = frozenset([item.asset for item in title.assets])
        self._held: dict[Holding, frozenset[str]] = {}
        self._entries: tuple[Entry, ...] = ()

    def held(self, holding: Holding | None) -> frozenset[str]:
        """The assets that are held as the title has them; empty where none is there that a player plays."""
        if holding is None:
            return _NOTHING
        held = self._held.get(holding)
        if held is None:
            if len(self._held) >= HOLDINGS_MAX:
                self._held.clear()  # it would keep what no box holds any more
            held = self._held[holding] = self._reckon(holding)
        return held

    def entries(self) -> tuple[Entry, ...]:
        """The pieces of which lists of URLs are made, an asset each."""
        if not self._entries:
            assets = self.title.assets
            is_plain = _PLAIN.fullmatch("".join([item.asset + item.entry for item in assets])) is not None
            self._entries = tuple([_entry(item, is_plain=is_plain) for item in assets])
        return self._entries

    def _reckon(self, holding: Holding) -> frozenset[str]:
        if holding.is_just(lines_of((item.asset, item.revision) for item in self.title.assets)):
            held = self.whole
        else:
            assets = holding.assets
            held = frozenset([item.asset for item in self.title.assets if assets.get(item.asset) == item.revision])
        if not any(item.asset in held for item in self.title.media()):
            return _NOTHING
        return self.whole if len(held) == len(self.whole) else held

    def held_otherwise(self, holding: Holding | None) -> bool:
        """Whether it is of an earlier or later edition."""
        return holding is not None and any(item.asset in holding.assets for item in self.title.media())


def _entry(item: AssetSummary, *, is_plain: bool) -> Entry:
    name, entry = item.asset, item.entry
    if not is_plain:
        name, entry = escaped(name), escaped(entry)
    return Entry(item.asset, f'"{name}":["', f'{entry}","', f'{entry}"]')


def escaped(text: str) -> str:
    """``text`` as it stands between the quotes of a JSON string."""
    return _encode(text)[1:-1].decode()
