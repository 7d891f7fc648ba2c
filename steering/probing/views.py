"""The observers as operators look at them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from oca.common.units import format_duration


class ObserverView(Struct, frozen=True):
    """One instance as an observer; ``against``: appliances it votes against, ``abstains``: why it does not vote."""

    observer: str
    is_this: bool
    votes: bool
    abstains: str
    probed: int
    against: int
    age_s: float


class ObserversView(Struct, frozen=True):
    """The body of ``/v1/observers``."""

    observers: list[ObserverView]


def observer_lines(observers: Sequence[ObserverView]) -> Iterator[str]:
    """For a terminal."""
    for one in observers:
        vote = f"votes against {one.against}" if one.votes else f"does not vote: {one.abstains}"
        this = " (this one)" if one.is_this else ""
        yield f"observer {one.observer}{this}: {one.probed} probed, {vote}; said {format_duration(one.age_s)} ago"
