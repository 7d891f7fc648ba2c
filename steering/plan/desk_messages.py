"""What is said to a desk in another process. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steering.plan.desk import Asked
from steering.plan.forecast import Ints
from steering.plan.ground import Ground, Terms


@dataclass(frozen=True, slots=True)
class Begin:
    """What is expected of tomorrow: ``tomorrow`` pickled, with its columns in the common memory, a (start, length)
    each. ``names`` stands for the names of the shelf.
    """

    tomorrow: bytes
    parts: Sequence[tuple[int, int]]
    terms: Terms
    names: str
    now_ns: int


@dataclass(frozen=True, slots=True)
class Land:
    """What holds in a region; of the others, those that are still ``known`` may come again."""

    region: str
    land: Ground
    known: Sequence[str]


@dataclass(frozen=True, slots=True)
class Places:
    """Where on the shelf the assets of a list of names stand; -1: they are gone."""

    names: str
    places: Ints


@dataclass(frozen=True, slots=True)
class Work:
    """A site to be planned, and what it needs that the desk does not have. One answer comes: what is done, or what
    planning it raised.
    """

    land: Land | None
    places: Places | None
    asked: Asked
