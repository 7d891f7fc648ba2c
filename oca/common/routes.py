"""What appliances tell steering of the routes they hear: changes in numbered batches, each between two digests.

A table's digest is the XOR of its routes' digests, so that both sides keep it up by the change alone. Steering takes a
batch only on the table that it was cut from; on any other it asks for the whole table anew. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from oca.common.digest import digest_bytes, digest_numbers
from oca.common.messages import Count, HexDigest, Message

BATCH_ROUTES_MAX = 20_000
BATCH_BYTES_MAX = 16 * 2**20
ROUTES_MAX = 4_000_000
NOTHING = "0" * 32
"""Digest of a table without routes."""
_SET = re.compile(r"\{[^}]*\}")
_CONFEDERATION = re.compile(r"\([^)]*\)")
PrefixText = Annotated[str, Meta(max_length=49)]
Origin = Literal["IGP", "EGP", "Incomplete"]


class PathAttributes(Message, frozen=True, array_like=True):
    """What BGP says of a way, shared by all prefixes that are reached by it (RFC 4271 §5.1).

    ``as_path`` is as BIRD writes it: AS numbers, nearest first, sets in braces. ``med`` 0 where there is none.
    """

    as_path: Annotated[str, Meta(max_length=2000)] = ""
    local_pref: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 100
    origin: Origin = "IGP"
    med: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    next_hop: Annotated[str, Meta(max_length=100)] = ""
    communities: Annotated[str, Meta(max_length=4000)] = ""


class RouteGroup(Message, frozen=True, array_like=True):
    """Prefixes with equal attributes."""

    attributes: PathAttributes
    prefixes: Annotated[list[PrefixText], Meta(max_length=BATCH_ROUTES_MAX)]


class RouteBatch(Message, frozen=True):
    """One step from the table with digest ``before`` to that with ``after``.

    Attributes:
        epoch: Names this run of the daemon.
        sequence: Counts batches within it.
        begins: The first batch of a whole table: ``before`` is the digest of nothing.
        full: It is part of a whole table; what no batch of it names is gone once its last one (``ends``) is taken.
        announced: Prefixes that are new, or have other attributes.
        withdrawn: Prefixes that are gone.
    """

    epoch: HexDigest
    sequence: Count
    before: HexDigest
    after: HexDigest
    announced: Annotated[list[RouteGroup], Meta(max_length=BATCH_ROUTES_MAX)]
    withdrawn: Annotated[list[PrefixText], Meta(max_length=BATCH_ROUTES_MAX)]
    begins: bool = False
    full: bool = False
    ends: bool = False


class RouteAnswer(Message, frozen=True):
    """What steering holds now, and whether it wants the whole table."""

    digest: HexDigest
    full_wanted: bool


def route_digest(attributes: PathAttributes) -> Callable[[str], int]:
    """Digests of routes with these attributes, by prefix, as whole numbers to be XORed."""
    return digest_numbers(b" " + digest_bytes(msgspec.json.encode(attributes)))


def path_length(as_path: str) -> int:
    """AS numbers in a path: a set counts as one, a confederation as none (RFC 4271 §9.1.2.2, RFC 5065 §5.3)."""
    if "{" in as_path or "(" in as_path:
        as_path = _SET.sub("{}", _CONFEDERATION.sub("", as_path))
    return len(as_path.split())


def end_ases(as_path: str) -> tuple[str, str]:
    """The nearest and the farthest AS of a path; empty where it has none (the neighbour's own routes over iBGP)."""
    words = re.findall(r"\d+", as_path)
    return (words[0], words[-1]) if words else ("", "")
