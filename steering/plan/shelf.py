"""The catalogue as columns, one row an asset, for what reckons over all of it at once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from oca.common.digest import digest_number
from steering.plan.forecast import Bools, Families, Floats, Ints
from steering.plan.interval import NEW_DAYS
from steering.plan.names import Numbers, halves_of
from steering.titles.catalogue import AssetKind, AssetSummary, Title

_DAY_NS = 86400 * 10**9
_PACK_BYTES = 4096 + 64
_OBJECT_BYTES = 160
_KINDS: tuple[AssetKind, ...] = ("video", "audio", "text", "manifests")


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
    numbers: Numbers

    @property
    def count(self) -> int:
        """How many assets there are."""
        return len(self.stored_bytes)

    def without_names(self) -> Shelf:
        """The columns alone, for what asks for no asset or title by its name."""
        return replace(self, titles=[], assets=[], place={}, numbers=Numbers.of([]))

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
        marked = np.zeros(len(self.assets), np.bool_)
        if names:
            wanted = set(names)
            by_title = np.array([title.title in wanted for title in self.titles], np.bool_)
            marked |= by_title[self.families.title] if self.assets else marked
            marked[[self.place[name] for name in wanted if name in self.place]] = True
        return marked


def is_new(released_at_ns: Ints, day: int) -> Bools:
    """Of each release, whether it was lately on a day, which counts from 1970."""
    age = day - released_at_ns // _DAY_NS
    new: Bools = (age >= 0) & (age < NEW_DAYS)
    return new


def shelve(titles: Sequence[Title]) -> Shelf:
    """The assets of all titles."""
    ordered = sorted(titles, key=lambda title: title.title)
    assets = [asset for title in ordered for asset in title.assets]
    names = [asset.asset for asset in assets]
    order = sorted(range(len(names)), key=names.__getitem__)
    names, assets = [names[row] for row in order], [assets[row] for row in order]
    title = np.repeat(np.arange(len(ordered)), [len(each.assets) for each in ordered])[np.array(order, np.int64)]
    released = np.array([each.released_at_ns for each in ordered], np.int64)
    halves = halves_of(names)
    stored = [asset.bytes + _PACK_BYTES + _OBJECT_BYTES * asset.objects for asset in assets]
    return Shelf(
        titles=ordered,
        assets=assets,
        place={name: row for row, name in enumerate(names)},  # step by step: others are answered meanwhile
        families=Families(title, _rungs(title, assets), np.zeros(len(ordered), np.int64)),
        manifests=np.array([asset.kind == "manifests" for asset in assets], np.bool_),
        stored_bytes=np.array(stored, np.float64),
        released_at_ns=released[title] if assets else np.zeros(0, np.int64),
        hashes=np.ascontiguousarray(halves[:, 0]),
        numbers=Numbers.of_halves(halves),
    )


def name_hash(name: str) -> int:
    """64 bits that a name always has: the first half of its number."""
    return digest_number(name.encode()) >> 64


def is_of_manifests(rungs: Ints) -> Bools:
    """Which rungs are those of manifests."""
    found: Bools = rungs % len(_KINDS) == _KINDS.index("manifests")
    return found


def _rungs(title: Ints, assets: Sequence[AssetSummary]) -> Ints:
    """Each asset's place in its title's ladder: among its own kind by bit rate, no two kinds sharing one."""
    kind = np.array([_KIND_NUMBERS[asset.kind] for asset in assets], np.int64)
    bitrate = np.array([asset.bitrate_bits_per_s for asset in assets], np.int64)
    order = np.lexsort((bitrate, kind, title))  # those of one bit rate as they stand: by name
    ladder = (title * len(_KINDS) + kind)[order]
    first = np.flatnonzero(np.diff(ladder, prepend=-1))
    place = np.arange(len(order)) - np.repeat(first, np.diff(first, append=len(order)))
    rungs = np.empty(len(order), np.int64)
    rungs[order] = kind[order] + len(_KINDS) * np.minimum(place, _RUNGS_MAX - 1)
    return rungs


_RUNGS_MAX = 16
_KIND_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}
