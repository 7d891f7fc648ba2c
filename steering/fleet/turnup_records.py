"""Which appliances have passed their turn-up checks: records in the state, so that a restart asks nobody anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from oca.common.messages import Nanoseconds
from steering.fleet.orders_changes import count_change
from steering.state.store import StateReader, StateTransaction

PREFIX = "turnup/"
_BEGUN_KEY = "about/turnup"
CAPACITY_PREFIX = "capacity/"


class Passed(Struct, frozen=True, kw_only=True):
    """When an appliance passed, and who says so: steering, an operator, or that it was there before."""

    at_ns: Nanoseconds
    who: Annotated[str, Meta(max_length=400)]


_decode = msgspec.json.Decoder(Passed).decode
_encode = msgspec.json.Encoder().encode


def read_passed(state: StateReader) -> dict[str, Passed]:
    """Those that have passed."""
    return {key.removeprefix(PREFIX): _decode(raw) for key, raw in state.scan(PREFIX)}


def keep_passed(transaction: StateTransaction, appliance: str, passed: Passed) -> None:
    """Let an appliance have passed."""
    transaction.put(f"{PREFIX}{appliance}", _encode(passed))
    count_change(transaction)


def begin_anew(transaction: StateTransaction, appliance: str) -> bool:
    """Have an appliance checked anew; whether it had passed."""
    found = transaction.get(f"{PREFIX}{appliance}") is not None
    transaction.delete(f"{PREFIX}{appliance}")
    count_change(transaction)
    return found


def has_begun(state: StateReader) -> bool:
    """Whether turn-up checks are kept in this state already."""
    return state.get(_BEGUN_KEY) is not None


def served_before(state: StateReader) -> set[str]:
    """Who reported before there were checks, and so has passed; nobody once they are kept."""
    if has_begun(state):
        return set()
    return {key.removeprefix(CAPACITY_PREFIX) for key, _ in state.scan(CAPACITY_PREFIX)}


def begin(transaction: StateTransaction, before: Iterable[str], *, now_ns: int) -> None:
    """Begin to keep them, ``before`` having passed; nothing where another instance has begun."""
    if has_begun(transaction):
        return
    for name in sorted(before):
        keep_passed(transaction, name, Passed(at_ns=now_ns, who="it served before there were checks"))
    transaction.put(_BEGUN_KEY, b"1")
    count_change(transaction)
