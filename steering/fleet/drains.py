"""Drains from steering: what operators took out of service here, a box or a whole site, until when and why.

They lie in the state, so that all instances go by them; a box that its own operator drained tells so in its reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from oca.common.messages import Message, Name, Nanoseconds
from oca.common.units import format_instant
from steering.fleet.orders_changes import count_change
from steering.state.store import StateReader, StateTransaction

PREFIX = "drain/"
REASON_CHARACTERS_MAX = 200
DRAIN_S_MAX = 30 * 86400
Scope = Literal["site", "appliance"]
Reason = Annotated[str, Meta(max_length=REASON_CHARACTERS_MAX, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]


class Drain(Struct, frozen=True, kw_only=True):
    """One drain; ``until_ns`` is 0 where it stays until an operator ends it."""

    scope: Scope
    name: Name
    who: str
    at_ns: Nanoseconds
    until_ns: Nanoseconds = 0
    reason: Reason = ""


class DrainRequest(Message, frozen=True):
    """``POST /v1/drains``; ``for_s`` 0: until an operator ends it."""

    scope: Scope
    name: Name
    for_s: Annotated[int, Meta(ge=0, le=DRAIN_S_MAX)] = 0
    reason: Reason = ""


class DrainEnd(Message, frozen=True):
    """``POST /v1/drains/end``."""

    scope: Scope
    name: Name


class TurnupRequest(Message, frozen=True):
    """``POST /v1/turnup``: ``accept`` lets a new box in whatever its checks say, ``again`` has one checked anew."""

    appliance: Name
    action: Literal["accept", "again"]


class DrainsView(Struct, frozen=True):
    """The drains in force."""

    drains: list[Drain]


_decode = msgspec.json.Decoder(Drain).decode
_encode = msgspec.json.Encoder().encode


def read_drains(state: StateReader) -> list[Drain]:
    """All that are kept, also those whose time is over."""
    return [_decode(raw) for _, raw in state.scan(PREFIX)]


def keep(transaction: StateTransaction, drain: Drain) -> None:
    """Keep a drain, in place of one of the same."""
    transaction.put(_key(drain.scope, drain.name), _encode(drain))
    count_change(transaction)


def end(transaction: StateTransaction, scope: Scope, name: str) -> bool:
    """End a drain; whether there was one."""
    key = _key(scope, name)
    found = transaction.get(key) is not None
    if found:
        transaction.delete(key)
        count_change(transaction)
    return found


def over(drains: Iterable[Drain], now_ns: int) -> list[Drain]:
    """Those whose time is over."""
    return [drain for drain in drains if drain.until_ns and drain.until_ns <= now_ns]


def by_appliance(drains: Iterable[Drain], site_of: Mapping[str, str], now_ns: int) -> dict[str, str]:
    """The appliances that are drained, each with why; one of its own stands before its site's."""
    own: dict[str, str] = {}
    of_sites: dict[str, str] = {}
    for drain in drains:
        if not drain.until_ns or drain.until_ns > now_ns:
            (own if drain.scope == "appliance" else of_sites)[drain.name] = sentence(drain)
    found = {name: of_sites[site] for name, site in site_of.items() if site in of_sites}
    return found | {name: why for name, why in own.items() if name in site_of}


def sentence(drain: Drain) -> str:
    """Who drained what, since and until when, why, and how to undo it."""
    what = f"its site {drain.name}" if drain.scope == "site" else "it"
    until = f" until {format_instant(drain.until_ns)}" if drain.until_ns else ""
    why = f": {drain.reason}" if drain.reason else ""
    undo = f"'oca-steering undrain --{drain.scope} {drain.name}' takes it back"
    return f"{drain.who} drained {what} from steering at {format_instant(drain.at_ns)}{until}{why} ({undo})"


def _key(scope: Scope, name: str) -> str:
    return f"{PREFIX}{scope}/{name}"
