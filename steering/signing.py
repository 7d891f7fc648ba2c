"""Signs what players and fill agents are sent to, and hands appliances the keys to check it with.

Keys are kept in the state, so that every instance signs by the same ones and a restart changes nothing. A URL is
signed by a key that its appliance has reported to hold; one that holds none is not signed for, and asks for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from oca.common.clock import now_s
from oca.common.digest import digest_hex
from oca.common.errors import SteeringError
from oca.common.jwk import SigningPolicy
from oca.common.keyring import KeyRing, SigningKey
from oca.common.log import get_logger
from oca.common.new_key import new_key
from oca.common.signing import Claims, sign
from oca.common.threads import in_thread
from oca.common.uri_container import prefix_container
from steering.key_schedule import Schedule, StoredKey, schedule, signers
from steering.signing_settings import SigningTable
from steering.state.store import StateStore
from steering.trust.audit import Actor, append

STATE_KEY = "signing/keys"
TOKENS_MAX = 16384
"""Tokens kept, so that viewers of one title share one for a while: signing takes 100 µs."""
SHARED_S = 300.0
STEERING = Actor("steering", "this machine")
SIGNERS_S = 1.0
"""How often it is looked anew which keys sign: their lives are days."""
_log = get_logger("signing")
_keys = msgspec.json.Decoder(list[StoredKey])
_encode = msgspec.json.Encoder().encode


class Signing:
    """The signing keys of one instance, in step with the state."""

    def __init__(self, settings: SigningTable, state: StateStore) -> None:
        """Read the keys, make the first if there is none; where that cannot be, ``look`` tries again."""
        self._settings = settings
        self._state = state
        self._raw: bytes | None = None
        self._now: tuple[list[StoredKey], KeyRing] = ([], KeyRing())
        """Keys and what signs with them, replaced as one: a thread does so while others are being answered."""
        self._signers: tuple[object, float, list[str]] = (None, 0.0, [])
        """Of which keys, until when, the ids of those that sign, best first."""
        self._tokens: dict[tuple[str, str, int], str] = {}
        self.policy = _policy(settings, [])
        if settings.mode != "off":
            try:
                self._refresh()
            except SteeringError as error:  # a shared state may be away: what is known of it signs until it is back
                _log.error("keys cannot be made or rotated now", why=str(error))

    async def look(self) -> None:
        """Make and drop keys as their time comes; take up what another instance or a command did."""
        if self._settings.mode != "off":
            await in_thread(self._refresh, name="signing keys")

    def policy_for(self, held: str) -> SigningPolicy | None:
        """What to tell an appliance that goes by the policy ``held``; None: nothing new."""
        if self._settings.mode == "off" and not held:
            return None
        return self.policy if held != self.policy.revision else None

    def token_path(self, held: Sequence[str], mount: str) -> str:
        """The path element with a token for all under ``mount``, for an appliance that holds the keys ``held``."""
        if self._settings.mode == "off":
            return ""
        at_s = now_s()
        stored, ring = self._now
        if self._signers[0] is not stored or at_s >= self._signers[1]:
            self._signers = stored, at_s + SIGNERS_S, [key.jwk.kid for key in signers(stored, now_s=at_s)]
        for kid in self._signers[2]:
            if kid in held:
                return f"/{self._settings.path_element}/{self._token(ring.signing[kid], mount, at_s)}"
        return ""

    def _token(self, key: SigningKey, mount: str, at_s: float) -> str:
        shared_s = min(SHARED_S, self._settings.token_lifetime_s / 4)
        ends_s = math.ceil(math.ceil(at_s / shared_s) * shared_s + self._settings.token_lifetime_s)
        token = self._tokens.get((key.kid, mount, ends_s))
        if token is None:
            if len(self._tokens) >= TOKENS_MAX:
                self._tokens.clear()
            claims = Claims(cdniuc=prefix_container(f"{mount}/"), iss=self._settings.issuer, exp=ends_s)
            token = self._tokens[key.kid, mount, ends_s] = sign(claims, key)
        return token

    def _refresh(self) -> None:
        raw = self._state.get(STATE_KEY)
        stored = _keys.decode(raw) if raw is not None else []
        if raw is not None and raw != self._raw:
            self._take(stored, raw)
        plan = planned(stored, self._settings, at_s=now_s())
        if plan.due or len(plan.kept) < len(stored):
            made = rotate(self._state, self._settings, at_s=now_s())
            self._take(made, _encode(made))

    def _take(self, stored: list[StoredKey], raw: bytes) -> None:
        ring = KeyRing()
        ring.add([key.jwk for key in stored], source=f"the state's {STATE_KEY}", issuers=[self._settings.issuer])
        self._now, self._raw = (stored, ring), raw
        self.policy = _policy(self._settings, stored)
        _log.info("keys of signed URLs", keys=[key.jwk.kid for key in stored], enforce=self._settings.mode)


def planned(stored: Sequence[StoredKey], settings: SigningTable, *, at_s: float) -> Schedule:
    """``schedule`` by the settings; tokens that are shared live that much longer."""
    return schedule(
        stored,
        now_s=at_s,
        algorithm=settings.algorithm,
        key_lifetime_s=settings.key_lifetime_s,
        token_lifetime_s=settings.token_lifetime_s + SHARED_S,
    )


def read_keys(state: StateStore) -> list[StoredKey]:
    """The keys in the state, oldest first.

    Raises:
        SteeringError: The state cannot be read.
    """
    raw = state.get(STATE_KEY)
    return _keys.decode(raw) if raw is not None else []


def rotate(
    state: StateStore,
    settings: SigningTable,
    *,
    at_s: float,
    now: bool = False,
    revoke: bool = False,
    actor: Actor = STEERING,
) -> list[StoredKey]:
    """Drop the keys whose time is over and make the next one if it is due; returns those that are there after.

    Args:
        state: Where they are kept: in one transaction, so that two instances make one key.
        settings: Their lifetimes.
        at_s: Wall clock.
        now: Make the next one whether due or not.
        revoke: Drop all others at once: every token out there ends.
        actor: Who does it, for the audit log.

    Raises:
        SteeringError: The state cannot be written.
    """
    with state.write() as transaction:
        raw = transaction.get(STATE_KEY)
        plan = planned(_keys.decode(raw) if raw is not None else [], settings, at_s=at_s)
        stored = [] if revoke else list(plan.kept)
        if plan.due or now or revoke:
            stored.append(StoredKey(jwk=new_key(settings.algorithm), made_at_s=at_s))
        if (wanted := _encode(stored)) != raw:
            transaction.put(STATE_KEY, wanted)
            did = f"{'revoked all others; ' if revoke else ''}{', '.join(key.jwk.kid for key in stored)}"
            append(transaction, actor, "keys rotate", did, now_ns=int(at_s * 1e9))
    return stored


def _policy(settings: SigningTable, stored: Sequence[StoredKey]) -> SigningPolicy:
    keys = [key.jwk.public() for key in stored]
    said = (settings.mode, settings.issuer, settings.path_element, keys)
    return SigningPolicy(
        revision=digest_hex(_encode(said)),
        enforce=settings.mode,
        issuer=settings.issuer,
        path_element=settings.path_element,
        keys=keys,
    )
