"""Identities of appliances in the state: one-time tokens, keys, renewal, revocation. Who asks is not judged here."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from hmac import compare_digest
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from steering.state.store import StateReader, StateTransaction

KEYS_PREFIX = "identity/"
TOKENS_PREFIX = "enrol/"
RENEWAL_OVERLAP_S = 3600
"""How long the old key is good after a renewal: for what is on its way, and for a renewal whose answer was lost."""
KEYS_MAX = 4
Refused = Literal["unknown-token", "used-token", "ended-token"]


class OpenToken(Struct, frozen=True, kw_only=True):
    """A token of an appliance; itself it is nowhere, only its digest. At most one an appliance."""

    appliance: str
    digest: str
    made_at_ns: int
    ends_at_ns: int
    used_at_ns: int = 0
    used_by: str = ""


class IdentityKey(Struct, frozen=True, kw_only=True):
    """A public key; ``ends_at_ns`` 0: the present one."""

    keyid: str
    x: str
    since_ns: int
    ends_at_ns: int = 0


class Record(Struct, frozen=True, kw_only=True):
    """The identity of an appliance, the present key last."""

    appliance: str
    keys: list[IdentityKey]
    revoked_at_ns: int = 0

    def key(self, keyid: str, *, now_ns: int) -> IdentityKey | None:
        """The key of that id if it is good now."""
        for key in self.keys:
            if key.keyid == keyid and (not key.ends_at_ns or now_ns < key.ends_at_ns):
                return key
        return None


_tokens = msgspec.json.Decoder(OpenToken)
_records = msgspec.json.Decoder(Record)
_encode = msgspec.json.Encoder().encode


def record_of(state: StateReader, appliance: str) -> Record | None:
    """The identity of ``appliance``, revoked ones included."""
    raw = state.get(KEYS_PREFIX + appliance)
    return _records.decode(raw) if raw is not None else None


def token_of(state: StateReader, appliance: str) -> OpenToken | None:
    """The last token that was made for ``appliance``."""
    raw = state.get(TOKENS_PREFIX + appliance)
    return _tokens.decode(raw) if raw is not None else None


def records(state: StateReader) -> Iterator[Record]:
    """Every identity, by name."""
    for _, raw in state.scan(KEYS_PREFIX):
        yield _records.decode(raw)


def open_token(transaction: StateTransaction, appliance: str, secret: str, *, now_ns: int, ttl_s: float) -> str:
    """Make ``secret`` the token of ``appliance``, in place of any before; returns it as it is to be shown, once."""
    token = f"{appliance}.{secret}"
    kept = OpenToken(
        appliance=appliance, digest=_digest(token), made_at_ns=now_ns, ends_at_ns=now_ns + int(ttl_s * 1e9)
    )
    transaction.put(TOKENS_PREFIX + appliance, _encode(kept))
    return token


def redeem(
    transaction: StateTransaction, appliance: str, token: str, *, keyid: str, x: str, now_ns: int
) -> Record | Refused:
    """Exchange a token for an identity with the key ``x``; every key before it ends.

    The same key with the same token is taken again, since the first answer may have been lost.
    """
    kept = token_of(transaction, appliance)
    if kept is None or not compare_digest(kept.digest, _digest(token)):
        return "unknown-token"
    if now_ns >= kept.ends_at_ns:
        return "ended-token"
    present = record_of(transaction, appliance)
    if kept.used_by:
        again = kept.used_by == keyid and present is not None and present.key(keyid, now_ns=now_ns) is not None
        return present if again and present is not None and not present.revoked_at_ns else "used-token"
    record = Record(appliance=appliance, keys=[IdentityKey(keyid=keyid, x=x, since_ns=now_ns)])
    transaction.put(TOKENS_PREFIX + appliance, _encode(replace(kept, used_at_ns=now_ns, used_by=keyid)))
    transaction.put(KEYS_PREFIX + appliance, _encode(record))
    return record


def renewed(transaction: StateTransaction, record: Record, *, keyid: str, x: str, now_ns: int) -> Record:
    """Make ``x`` the present key of ``record``; the one before ends in an hour."""
    if record.keys[-1].keyid == keyid:
        return record
    ends_ns = now_ns + RENEWAL_OVERLAP_S * 10**9
    old = [key if key.ends_at_ns else replace(key, ends_at_ns=ends_ns) for key in record.keys if key.keyid != keyid]
    good = [key for key in old if now_ns < key.ends_at_ns][1 - KEYS_MAX :]
    after = replace(record, keys=[*good, IdentityKey(keyid=keyid, x=x, since_ns=now_ns)])
    transaction.put(KEYS_PREFIX + record.appliance, _encode(after))
    return after


def revoke(transaction: StateTransaction, appliance: str, *, now_ns: int) -> bool:
    """End the identity and any open token; until it is enrolled anew or forgotten, the appliance is not let in at all.

    Returns:
        Whether there was anything to end. An appliance that never had an identity is shut out all the same.
    """
    transaction.delete(TOKENS_PREFIX + appliance)
    present = record_of(transaction, appliance)
    if present is not None and present.revoked_at_ns:
        return False
    keys = present.keys if present is not None else []
    transaction.put(KEYS_PREFIX + appliance, _encode(Record(appliance=appliance, keys=keys, revoked_at_ns=now_ns)))
    return True


def forget(transaction: StateTransaction, appliance: str) -> bool:
    """Drop the identity and any open token: the appliance counts by token_file or address again."""
    there = record_of(transaction, appliance) is not None or token_of(transaction, appliance) is not None
    transaction.delete(TOKENS_PREFIX + appliance)
    transaction.delete(KEYS_PREFIX + appliance)
    return there


def _digest(token: str) -> str:
    """Of 256 random bits: nothing to guess, so no slow hash is needed."""
    return sha256(token.encode()).hexdigest()
