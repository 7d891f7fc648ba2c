"""When keys of signed URLs come and go. Pure: the clock and the keys come in.

A key signs until the next one is there and every appliance has had ``HANDOVER_S`` to take that up. It is good until
the last token that it may have signed has ended: nobody's film is cut by a rotation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from oca.common.jwk import Jwk

HANDOVER_S = 600.0
"""How long an appliance may take to report that it has the next key; one in touch needs two reports."""
SHARED_S = 300.0
"""How long viewers of a title share a token at most: it lives that much longer than its settings say."""


class StoredKey(Struct, frozen=True, kw_only=True):
    """A key with its private half, and since when it is there; ``client``: the one that encrypts clients' networks."""

    jwk: Jwk
    made_at_s: float
    client: Jwk | None = None


class Schedule(Struct, frozen=True, kw_only=True):
    """Keys that are still good, oldest first, and whether another is due."""

    kept: tuple[StoredKey, ...]
    due: bool


def schedule(
    keys: Sequence[StoredKey],
    *,
    now_s: float,
    algorithm: str,
    key_lifetime_s: float,
    token_lifetime_s: float,
    binds_clients: bool = False,
) -> Schedule:
    """What becomes of ``keys``, oldest first, at ``now_s``; where tokens bind clients, the newest must be able."""
    kept = [
        key
        for key, following in _with_next(keys)
        if following is None or now_s < following.made_at_s + HANDOVER_S + token_lifetime_s
    ]
    newest = keys[-1] if keys else None
    # One made in the future is of a clock that was ahead: it does not wait until then.
    due = newest is None or newest.jwk.alg != algorithm or not 0 <= now_s - newest.made_at_s < key_lifetime_s
    due = due or (binds_clients and newest is not None and newest.client is None)
    return Schedule(kept=tuple(kept), due=due)


def keys_most(*, key_lifetime_s: float, token_lifetime_s: float, binds_clients: bool) -> int:
    """The most keys that ``schedule`` has good at a time, those that encrypt networks among them, none made by hand."""
    each = 2 if binds_clients else 1
    return each * (1 + math.ceil((HANDOVER_S + token_lifetime_s) / key_lifetime_s))


def signers(keys: Sequence[StoredKey], *, now_s: float) -> list[StoredKey]:
    """The keys that may sign now, the one to be preferred first."""
    able = [key for key, after in _with_next(keys) if after is None or now_s < after.made_at_s + HANDOVER_S]
    return able[::-1]


def _with_next(keys: Sequence[StoredKey]) -> list[tuple[StoredKey, StoredKey | None]]:
    return [(key, keys[place + 1] if place + 1 < len(keys) else None) for place, key in enumerate(keys)]
