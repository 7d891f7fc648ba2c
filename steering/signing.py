"""Signs what players and fill agents are sent to, and hands appliances the keys to check it with.

Keys are kept in the state, so that every instance signs by the same ones and a restart changes nothing. A URL is
signed by a key that its appliance has reported to hold; one that holds none is not signed for, and asks for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import final

import msgspec

from oca.common.clock import now_s
from oca.common.digest import digest_hex
from oca.common.errors import SteeringError
from oca.common.jwk import KEYS_MAX, Jwk, SigningPolicy
from oca.common.keyring import KeyRing
from oca.common.log import get_logger
from oca.common.new_key import new_key
from oca.common.prefix import BITS, prefix_text
from oca.common.signing import Claims, Sealer, Signer
from oca.common.threads import in_thread
from oca.common.uri_container import prefix_container
from steering.key_schedule import SHARED_S, Schedule, StoredKey, schedule, signers
from steering.recent import Recent
from steering.signing_settings import SigningTable
from steering.state.store import StateStore
from steering.tokens import Token, shared_until_s
from steering.trust.audit import Actor, append

STATE_KEY = "signing/keys"
TOKENS_KEPT = 32768
"""So that viewers of one title share a token for a while: signing by ES256 takes 20 to 35 µs. Some 0.6 kB each; what is
bound to no client is kept with its title, too."""
NETWORKS_KEPT = 8192
STEERING = Actor("steering", "this machine")
SIGNERS_S = 1.0
"""How often it is looked anew which keys sign: their lives are days."""
_log = get_logger("signing")
_keys = msgspec.json.Decoder(list[StoredKey])
_encode = msgspec.json.Encoder().encode


@final
class _Keys:
    """Keys, and what signs with them."""

    __slots__ = ("ring", "stored")

    def __init__(self, stored: list[StoredKey], ring: KeyRing) -> None:
        self.stored, self.ring = stored, ring


@final
class _Signing:
    """What makes tokens by one key; ``sealer``: what encrypts the client networks in them."""

    __slots__ = ("kid", "sealer", "signer")

    def __init__(self, kid: str, signer: Signer, sealer: Sealer | None) -> None:
        self.kid, self.signer, self.sealer = kid, signer, sealer


class Signing:
    """The signing keys of one instance, in step with the state."""

    def __init__(
        self,
        settings: SigningTable,
        state: StateStore,
        *,
        clock: Callable[[], float] = now_s,
        tokens_kept: int = TOKENS_KEPT,
    ) -> None:
        """Read the keys, make the first if there is none; where that cannot be, ``look`` tries again.

        ``clock``: the wall's, in seconds.
        """
        self._settings, self._now_s = settings, clock
        self._state = state
        self._raw: bytes | None = None
        self._now = _Keys([], KeyRing())
        """Keys and what signs with them, replaced as one: a thread does so while others are being answered."""
        self._signers: list[_Signing] = []
        """Those of ``_signers_of`` that sign until ``_until_s``, best first."""
        self._signers_of: _Keys | None = None
        self._until_s = 0.0
        self._shared_s = min(SHARED_S, settings.token_lifetime_s / 4)
        self._tokens: Recent[tuple[str, str, str | None], Token] = Recent(tokens_kept)
        self._claims: Recent[tuple[str, str], str] = Recent(NETWORKS_KEPT)
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

    def token_path(self, held: Sequence[str], mount: str, network: str = "") -> str:
        """``token`` as it stands in the path; empty: none."""
        token = self.token(held, mount, network)
        return token.path if token is not None else ""

    def token(self, held: Sequence[str], mount: str, network: str = "", kept: Token | None = None) -> Token | None:
        """The token for all under ``mount``, for an appliance that holds the keys ``held``; None: it needs none.

        By the best key that it holds; where it holds none of those that sign, as right after they were revoked, by the
        newest: that is the one that it will have with its next report, and until then it would take no other.

        Args:
            held: Ids of keys; none: it knows nothing of tokens, and gets none.
            mount: Of the title.
            network: That the token is good from, as text; empty: any. An appliance that cannot read it gets a token
                for any.
            kept: One that was made for ``mount`` before, which is as good where the same would be made now.
        """
        if not held or self._settings.mode == "off":
            return None
        at_s = self._now_s()
        is_known = self._until_s - SIGNERS_S <= at_s < self._until_s  # not where the clock was set back
        if not is_known or self._signers_of is not self._now:
            self._look_who_signs(at_s)
        if not self._signers:
            return None
        signer = self._signers[0]
        if signer.kid not in held:
            signer = next((each for each in self._signers if each.kid in held), signer)
        claim = None
        if network and signer.sealer is not None and (signer.kid not in held or signer.sealer.kid in held):
            claim = self._sealed(signer.sealer, network)
        shared_s = self._shared_s
        if kept is not None and kept.kid == signer.kid and kept.claim == claim and kept.is_shared(at_s, shared_s):
            return kept
        known = (signer.kid, mount, claim)
        token = self._tokens.get(known)
        if token is None or not token.is_shared(at_s, shared_s):
            token = self._make(signer, mount, claim, at_s)
            self._tokens.put(known, token)
        return token

    def _make(self, signer: _Signing, mount: str, claim: str | None, at_s: float) -> Token:
        until_s = shared_until_s(mount, at_s, self._shared_s)
        ends_s = math.ceil(until_s + self._settings.token_lifetime_s)
        container = prefix_container(f"{mount}/")
        claims = Claims(cdniuc=container, iss=self._settings.issuer, exp=ends_s, cdniip=claim)
        path = f"/{self._settings.path_element}/{signer.signer.sign(claims)}"
        return Token(signer.kid, claim, path, shared_until_s=until_s, ends_s=ends_s)

    def network_of(self, version: int, number: int, length: int) -> str:
        """What a token of a client is bound to: its network, of which ``length`` bits are known; empty: nothing."""
        settings = self._settings
        if settings.bind_client == "off" or settings.mode == "off":
            return ""
        length = min(length, settings.bind_prefix_v4 if version == 4 else settings.bind_prefix_v6)
        unknown_bits = BITS[version] - length
        return prefix_text(version, length, number >> unknown_bits << unknown_bits)

    def _sealed(self, sealer: Sealer, network: str) -> str:
        claim = self._claims.get((sealer.kid, network))
        if claim is None:
            claim = sealer.seal(network)
            self._claims.put((sealer.kid, network), claim)
        return claim

    def _look_who_signs(self, at_s: float) -> None:
        """Which keys sign, best first."""
        self._signers_of = keys = self._now
        self._until_s = at_s + SIGNERS_S
        self._signers = [_by(key, keys.ring) for key in signers(keys.stored, now_s=at_s)]

    def _refresh(self) -> None:
        raw = self._state.get(STATE_KEY)
        stored = _keys.decode(raw) if raw is not None else []
        if raw is not None and raw != self._raw:
            self._take(stored, raw)
        plan = planned(stored, self._settings, at_s=self._now_s())
        if plan.due or len(plan.kept) < len(stored):
            made = rotate(self._state, self._settings, at_s=self._now_s())
            self._take(made, _encode(made))

    def _take(self, stored: list[StoredKey], raw: bytes) -> None:
        ring = KeyRing()
        keys = [jwk for key in stored for jwk in _both(key)]
        ring.add(keys, source=f"the state's {STATE_KEY}", issuers=[self._settings.issuer])
        self._now, self._raw = _Keys(stored, ring), raw
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
        binds_clients=settings.bind_client != "off",
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
        SteeringError: The state cannot be written, or appliances would not take that many keys.
    """
    with state.write() as transaction:
        raw = transaction.get(STATE_KEY)
        plan = planned(_keys.decode(raw) if raw is not None else [], settings, at_s=at_s)
        stored = [] if revoke else list(plan.kept)
        if plan.due or now or revoke:
            client = new_key("A128GCM") if settings.bind_client != "off" else None
            stored.append(StoredKey(jwk=new_key(settings.algorithm), made_at_s=at_s, client=client))
            _refuse_many(stored)
        if (wanted := _encode(stored)) != raw:
            transaction.put(STATE_KEY, wanted)
            did = f"{'revoked all others; ' if revoke else ''}{', '.join(key.jwk.kid for key in stored)}"
            append(transaction, actor, "keys rotate", did, now_ns=int(at_s * 1e9))
    return stored


def _refuse_many(stored: Sequence[StoredKey]) -> None:
    if (good := sum(len(_both(key)) for key in stored)) > KEYS_MAX:
        raise SteeringError(
            f"with one more key {good} would be good at a time, and appliances take {KEYS_MAX} at most",
            remedy="wait until tokens of the oldest have ended, raise signing.key_lifetime_s, or end them all now with "
            "'oca-steering keys rotate --revoke'",
        )


def _policy(settings: SigningTable, stored: Sequence[StoredKey]) -> SigningPolicy:
    keys = [jwk.public() for key in stored for jwk in _both(key)]
    said = (settings.mode, settings.issuer, settings.path_element, keys)
    return SigningPolicy(
        revision=digest_hex(_encode(said)),
        enforce=settings.mode,
        issuer=settings.issuer,
        path_element=settings.path_element,
        keys=keys,
    )


def _both(key: StoredKey) -> list[Jwk]:
    return [key.jwk] if key.client is None else [key.jwk, key.client]


def _by(key: StoredKey, ring: KeyRing) -> _Signing:
    sealer = Sealer(key.client.kid, ring.encrypting[key.client.kid]) if key.client is not None else None
    return _Signing(key.jwk.kid, Signer(ring.signing[key.jwk.kid]), sealer)
