"""The catalogue as columns, one row an asset, for what reckons over all of it at once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oca.common.digest import digest_hex
from steering.catalogue import AssetSummary, Title
from steering.forecast import Bools, Families, Floats, Ints

_PACK_BYTES = 4096 + 64
_OBJECT_BYTES = 160
_KINDS = ("video", "audio", "text", "manifests")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Columns by asset, in order of asset name.

    ``stored_bytes`` is what one takes in a store: bytes, the pack's own pages and a row of its table per object.
    """

    titles: list[Title]
    assets: list[AssetSummary]
    place: dict[str, int]
    families: Families
    manifests: Bools
    stored_bytes: Floats
    released_at_ns: Ints
    hashes: NDArray[np.uint64]

    @property
    def title_released_at_ns(self) -> Ints:
        """When each title comes out."""
        return np.array([title.released_at_ns for title in self.titles], np.int64)

    def may_lie_in(self, region: str, *, until_ns: int) -> Bools:
        """Assets that come out by then and whose rights allow the region, by asset."""
        allowed = np.array([not title.regions or region in title.regions for title in self.titles], np.bool_)
        by_title: Bools = allowed[self.families.title] if self.assets else np.zeros(0, np.bool_)
        return by_title & (self.released_at_ns <= until_ns)

    def named(self, names: Sequence[str]) -> Bools:
        """Assets that are named, by themselves or by their title."""
        wanted = set(names)
        titles = [title.title for title in self.titles]
        return np.array(
            [
                asset.asset in wanted or titles[title] in wanted
                for asset, title in zip(self.assets, self.families.title, strict=True)
            ],
            np.bool_,
        )


def shelve(titles: Sequence[Title]) -> Shelf:
    """The assets of all titles."""
    ordered = sorted(titles, key=lambda title: title.title)
    rows = sorted(
        ((asset, number, rung) for number, title in enumerate(ordered) for asset, rung in _rungs(title)),
        key=lambda row: row[0].asset,
    )
    assets = [asset for asset, _, _ in rows]
    title = np.array([number for _, number, _ in rows], np.int64)
    released = np.array([each.released_at_ns for each in ordered], np.int64)
    return Shelf(
        titles=ordered,
        assets=assets,
        place={asset.asset: row for row, asset in enumerate(assets)},
        families=Families(title, np.array([rung for _, _, rung in rows], np.int64), np.zeros(len(ordered), np.int64)),
        manifests=np.array([asset.kind == "manifests" for asset in assets], np.bool_),
        stored_bytes=np.array(
            [asset.bytes + _PACK_BYTES + _OBJECT_BYTES * asset.objects for asset in assets], np.float64
        ),
        released_at_ns=released[title] if assets else np.zeros(0, np.int64),
        hashes=np.array([name_hash(asset.asset) for asset in assets], np.uint64),
    )


def name_hash(name: str) -> int:
    """64 bits that a name always has."""
    return int(digest_hex(name.encode())[:16], 16)


def _rungs(title: Title) -> list[tuple[AssetSummary, int]]:
    """Each asset with its place in its title's ladder: among its own kind by bit rate, no two kinds sharing one."""
    placed = []
    for number, kind in enumerate(_KINDS):
        alike = sorted((a for a in title.assets if a.kind == kind), key=lambda a: (a.bitrate_bits_per_s, a.asset))
        placed += [(asset, number + len(_KINDS) * min(rung, _RUNGS_MAX - 1)) for rung, asset in enumerate(alike)]
    return placed


_RUNGS_MAX = 16
