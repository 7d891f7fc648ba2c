"""A title as published, with what every decision about it asks for: reckoned once, as long as it is in use. Pure.

A hundred thousand are kept, and each decision finds its own cold in memory: so it is kept small and in few pieces.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import final

import msgspec
from mypy_extensions import mypyc_attr

from steering.fleet.holders import Holding, lines_of
from steering.titles.catalogue import AssetSummary, Title
from steering.tokens import Token

HOLDINGS_MAX = 8
_encode = msgspec.json.Encoder().encode
_PLAIN = re.compile(r"[ !#-\[\]-~]*")
"""What JSON writes as it is."""
Assets = tuple[str, ...]
"""Names of assets, each once; of eight, a set takes seven times as much memory."""
_NOTHING: Assets = ()
_CUT = b"\n"
"""Between the pieces of a text: JSON has none within a string."""


@final
@mypyc_attr(acyclic=True)
class Edition:
    """One title.

    Attributes:
        id: The title's; ``name``, ``mount``, ``origin_url``, ``regions`` and ``released_at_ns`` as it has them.
        has_mpd: Whether it was published with one.
        names: All of its assets.
        stored: As the catalogue has it; None where it is not of there.
        seen_in: The titles of the catalogue among which it was last found as it is.
        token: The last one made for it.
    """

    __slots__ = (
        "_lines",
        "_manifests",
        "_otherwise",
        "_text",
        "_title",
        "_whole_in",
        "has_mpd",
        "id",
        "mount",
        "name",
        "names",
        "origin_url",
        "regions",
        "released_at_ns",
        "seen_in",
        "stored",
        "token",
    )

    def __init__(self, title: Title, stored: bytes | None = None) -> None:
        """Where it is ``stored``, ``title`` itself is not kept: it is read again for who wants all of it."""
        self.id, self.name, self.mount, self.origin_url = title.title, title.name, title.mount, title.origin_url
        self.regions, self.released_at_ns = tuple(title.regions), title.released_at_ns
        self.has_mpd = title.mpd is not None
        self.names: Assets = tuple([item.asset for item in title.assets])
        self.stored = stored
        self.seen_in: object = None
        self.token: Token | None = None
        self._title = title if stored is None else None
        self._manifests: Assets = tuple([item.asset for item in title.assets if item.kind == "manifests"])
        self._lines = lines_of([(item.asset, item.revision) for item in title.assets])
        self._whole_in: Holding | None = None
        self._otherwise: dict[Holding, Assets] | None = None
        self._text = _text_of(title.assets)

    @property
    def title(self) -> Title:
        """All of it."""
        return self._title if self._title is not None else Title.read(self.stored or b"")

    def held(self, holding: Holding | None) -> Assets:
        """The assets that are held as the title has them, ``names`` itself where all are.

        Empty where none is there that a player plays.
        """
        if holding is None:
            return _NOTHING
        if holding is self._whole_in:
            return self.names
        if self._otherwise is not None and (held := self._otherwise.get(holding)) is not None:
            return held
        if holding.is_just(self._lines) and len(self._manifests) < len(self.names):
            self._whole_in, self._lines = holding, holding.lines  # one text for both
            return self.names
        if self._otherwise is None or len(self._otherwise) >= HOLDINGS_MAX:
            self._otherwise = {}  # it would keep what no box holds any more
        held = self._otherwise[holding] = self._reckon(holding)
        return held

    def urls(self, bases: Sequence[bytes]) -> list[bytes]:
        """JSON about all assets: ``"name":["BASE/entry","BASE/entry"],"name":…``, a base or more for each alike.

        In pieces, to be joined with what stands around it: it is most of an answer, and each copy of it counts.
        """
        pieces = self._text.split(_CUT)
        pieces[1::2] = [between.join(bases) for between in pieces[1::2]]
        return pieces

    def urls_held(self, sources: Sequence[tuple[bytes, Assets | None]], wanted: frozenset[str] | None) -> list[bytes]:
        """The same about the assets that are ``wanted`` (None: all), each with the bases of those that hold it.

        ``sources``: bases, each with the assets that it holds; None: all.
        """
        pieces, said, before = self._text.split(_CUT), [], b""
        for asset, begins, between in zip(self.names, pieces[::2], pieces[1::2], strict=False):
            opens, entry = begins.removeprefix(before), between.removesuffix(b'","')
            before = entry + b'"],'
            if wanted is None or asset in wanted:
                bases = [base for base, holds in sources if holds is None or asset in holds]
                said.append(b'%b%b%b"]' % (opens, between.join(bases), entry) if bases else opens[:-1] + b"]")
        return [b",".join(said)]

    def _reckon(self, holding: Holding) -> Assets:
        assets, mine = holding.assets, [line.partition(" ") for line in self._lines.split("\n")]
        held = tuple([name for name, _, revision in mine if assets.get(name) == revision])
        if not [name for name in held if name not in self._manifests]:
            return _NOTHING
        return self.names if len(held) == len(self.names) else held

    def held_otherwise(self, holding: Holding | None) -> bool:
        """Whether it is of an earlier or later edition."""
        if holding is None:
            return False
        other = holding.assets
        return bool([name for name in self.names if name in other and name not in self._manifests])


def _text_of(assets: Sequence[AssetSummary]) -> bytes:
    """JSON about them, cut where lists of base URLs go, each piece in between those that stands between two bases."""
    is_plain = _PLAIN.fullmatch("".join([item.asset + item.entry for item in assets])) is not None
    pieces, closes = [], ""
    for item in assets:
        name, entry = (
            (item.asset, item.entry) if is_plain else (quoted(item.asset).decode(), quoted(item.entry).decode())
        )
        pieces += [f'{closes}"{name}":["', f'{entry}","']
        closes = f'{entry}"],'
    pieces.append(closes.removesuffix(","))
    return _CUT.join([piece.encode() for piece in pieces])


def quoted(text: str) -> bytes:
    """``text`` as it stands between the quotes of a JSON string."""
    return _encode(text)[1:-1]
