"""The audit log: who changed what, when, from where. Entries are only added, each with the digest of the one before.

An entry is written in the transaction of the change itself: neither is there without the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import NamedTuple

import msgspec
from msgspec import Struct

from steering.state.store import StateReader, StateStore, StateTransaction

PREFIX = "audit/"
HEAD = "audit-head"
TEXT_CHARACTERS_MAX = 300


class Actor(NamedTuple):
    """Who acts, and from where: an operator, a user of this machine, an appliance, or steering itself."""

    who: str
    place: str


class Entry(Struct, frozen=True, kw_only=True):
    """One change."""

    number: int
    at_ns: int
    who: str
    place: str
    action: str
    what: str
    previous: str
    """SHA-256 of the entry before, as it lies in the state; empty for the first."""


class _Head(Struct, frozen=True):
    number: int
    digest: str


_entries = msgspec.json.Decoder(Entry)
_heads = msgspec.json.Decoder(_Head)
_encode = msgspec.json.Encoder().encode


def append(transaction: StateTransaction, actor: Actor, action: str, what: str, *, now_ns: int) -> None:
    """Add an entry to what the transaction changes."""
    raw = transaction.get(HEAD)
    head = _heads.decode(raw) if raw is not None else _Head(0, "")
    entry = _encode(
        Entry(
            number=head.number + 1,
            at_ns=now_ns,
            who=_line(actor.who),
            place=_line(actor.place),
            action=action,
            what=_line(what),
            previous=head.digest,
        )
    )
    transaction.put(_key(head.number + 1), entry)
    transaction.put(HEAD, _encode(_Head(head.number + 1, _digest(entry))))


@contextmanager
def audited(state: StateStore, actor: Actor, action: str, what: str, *, now_ns: int) -> Iterator[StateTransaction]:
    """A transaction of ``state`` that is told of in the log."""
    with state.write() as transaction:
        yield transaction
        append(transaction, actor, action, what, now_ns=now_ns)


def read_entries(state: StateReader, *, last: int) -> list[Entry]:
    """The ``last`` entries, oldest first."""
    raw = state.get(HEAD)
    number = _heads.decode(raw).number if raw is not None else 0
    return [_entries.decode(each) for _, each in state.scan(PREFIX, start=_key(max(1, number - last + 1)))]


def fault_of(state: StateReader) -> str:
    """What is wrong with the log: an entry that was changed, taken out or put in; an empty string where nothing is."""
    expected, digest = 1, ""
    for key, raw in state.scan(PREFIX):
        try:
            entry = _entries.decode(raw)
        except msgspec.DecodeError:
            return f"entry {key.removeprefix(PREFIX)} cannot be read"
        if key != _key(expected) or entry.number != expected:
            return f"entry {expected} is missing"
        if entry.previous != digest:
            return f"entry {expected - 1} was changed"
        expected, digest = expected + 1, _digest(raw)
    head = state.get(HEAD)
    if head is not None and _heads.decode(head) != _Head(expected - 1, digest):
        return "entries at its end were changed or are missing"
    return "its head is missing" if head is None and expected > 1 else ""


def _key(number: int) -> str:
    return f"{PREFIX}{number:012d}"


def _digest(raw: bytes) -> str:
    return sha256(raw).hexdigest()


def _line(text: str) -> str:
    """One line of bounded length that cannot steer a terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in text)[:TEXT_CHARACTERS_MAX]
