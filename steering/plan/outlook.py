"""What each night's plan expected of a site, and what came: kept by site for some weeks, and summed up. Pure.

A plan's day is the one that most of the 24 hours after it lie in. What came is known once that day is over, at the next
planning; what of it was held is told by the plan of the night before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from steering.plan.forecast import Floats
from steering.plan.shelf import Shelf
from steering.plan.site_plan import SitePlan
from steering.state.store import StateReader, StateTransaction

NIGHTS_KEPT = 28
NOT_KNOWN = -1
_HALF_DAY_NS = 12 * 3600 * 10**9
_DAY_NS = 2 * _HALF_DAY_NS


class Night(Struct, frozen=True):
    """One night of a site, or of all; bytes of viewers, but for ``moved_bytes``, which boxes have to bring in.

    ``day`` counts from 1970, UTC. ``came_bytes`` and ``came_held_bytes`` are -1 while they are not known.
    """

    day: int
    made_at_ns: int
    expected_bytes: int
    expected_held_bytes: int
    moved_bytes: int
    assets: int
    copies: int
    sites: int = 1
    came_bytes: int = NOT_KNOWN
    came_held_bytes: int = NOT_KNOWN


class Came(Struct, frozen=True):
    """What was watched at a site on a day, and how much of it by assets that its plan held."""

    day: int
    bytes: int
    held_bytes: int


_decode = msgspec.msgpack.Decoder(list[Night]).decode
_encode = msgspec.msgpack.Encoder().encode


def day_of(made_at_ns: int) -> int:
    """The day that a plan is for, counted from 1970, UTC."""
    return (made_at_ns + _HALF_DAY_NS) // _DAY_NS


def night_of(made: SitePlan, shelf: Shelf, *, now_ns: int) -> Night:
    """What a plan that is made now expects."""
    return Night(
        day=day_of(now_ns),
        made_at_ns=now_ns,
        expected_bytes=int(made.tomorrow.able_bytes),
        expected_held_bytes=int(made.held_bytes),
        moved_bytes=int(made.moved_bytes(shelf)),
        assets=int(made.on.any(axis=0).sum()),
        copies=int(made.on.sum()),
    )


def came(made: SitePlan, assets: NDArray[np.int32], watched_bytes: Floats, *, day: int) -> Came:
    """What was watched on a day, against what the plan before ``made`` held.

    Args:
        made: The plan that is made now.
        assets: Those that were watched, as rows of the shelf.
        watched_bytes: Of each.
        day: Counted from 1970, UTC.
    """
    held = np.zeros(len(made.land.able), np.bool_)
    held[made.places[made.had.any(axis=0)]] = True
    of_held = watched_bytes[held[assets]]
    return Came(day, int(watched_bytes.sum()), int(of_held.sum()))


def followed(nights: Sequence[Night], night: Night, came: Came | None) -> list[Night]:
    """The nights with one more, in place of one of the same day, and with what came filled in; the oldest go."""
    known = [
        replace(each, came_bytes=came.bytes, came_held_bytes=came.held_bytes)
        if came is not None and each.day == came.day
        else each
        for each in nights
        if each.day != night.day
    ]
    return sorted([*known, night], key=lambda each: each.day)[-NIGHTS_KEPT:]


def summed(sites: Iterable[Sequence[Night]]) -> list[Night]:
    """The nights of many sites added up by day; once any of a day knows what came, those that do not are left out."""
    by_day: dict[int, list[Night]] = {}
    for nights in sites:
        for night in nights:
            by_day.setdefault(night.day, []).append(night)
    return [_sum([n for n in by_day[day] if n.came_bytes != NOT_KNOWN] or by_day[day]) for day in sorted(by_day)]


def read_nights(state: StateReader, site: str) -> list[Night]:
    """What is kept of a site, the oldest first."""
    raw = state.get(f"outlook/{site}")
    return _decode(raw) if raw is not None else []


def keep_night(transaction: StateTransaction, site: str, night: Night, came: Came | None) -> None:
    """Keep one more."""
    transaction.put(f"outlook/{site}", _encode(followed(read_nights(transaction, site), night, came)))


def _sum(nights: Sequence[Night]) -> Night:
    """Of one day, where all know what came or none does."""
    first = nights[0]
    added = {name: sum(getattr(night, name) for night in nights) for name in _ADDED}
    if first.came_bytes == NOT_KNOWN:
        added |= {"came_bytes": NOT_KNOWN, "came_held_bytes": NOT_KNOWN}
    return replace(first, made_at_ns=max(night.made_at_ns for night in nights), **added)


_ADDED = tuple(name for name in Night.__struct_fields__ if name not in ("day", "made_at_ns"))
