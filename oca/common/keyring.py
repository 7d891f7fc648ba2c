"""Keys made ready for use, by their ids. Pure, but for joserfc behind it, which loads in a tenth of a second."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal, cast

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey
from msgspec import Struct, to_builtins

from oca.common.errors import ConfigError
from oca.common.jwk import Jwk

HS256_BYTES_MIN = 32
"""RFC 7518 §3.2: a key at least as long as the hash."""
_ENCRYPTION_BYTES = {"A128GCM": 16, "A256GCM": 32}


class SigningKey(Struct, frozen=True):
    """A key that signs or verifies; ``issuers`` it may speak for, any where empty."""

    kid: str
    alg: Literal["ES256", "HS256"]
    key: ECKey | OctKey
    issuers: frozenset[str]

    def __repr__(self) -> str:
        return f"SigningKey({self.kid})"


class KeyRing:
    """Keys for signatures and, apart from them, for encrypted claims."""

    def __init__(self) -> None:
        self.signing: dict[str, SigningKey] = {}
        self.encrypting: dict[str, OctKey] = {}

    def add(self, keys: Iterable[Jwk], *, source: str, issuers: Collection[str] = ()) -> None:
        """Take up ``keys``.

        Args:
            keys: Each with an id of its own.
            source: Where they come from, for the message.
            issuers: Whom they may speak for (``iss``); empty: anyone.

        Raises:
            ConfigError: A key is none, too short, or named twice. Nothing of it is shown.
        """
        for jwk in keys:
            if jwk.kid in self.signing or jwk.kid in self.encrypting:
                raise ConfigError(f"{source}: two keys have the kid {jwk.kid}", remedy="give each key a kid of its own")
            try:
                loaded = _load(jwk)
            except (ValueError, KeyError, TypeError, JoseError):
                # Not chained: what a library says of a key may show it.
                raise ConfigError(
                    f"{source}: key {jwk.kid} is no {jwk.alg} key", remedy="make keys by 'oca token key'"
                ) from None
            if jwk.alg in ("ES256", "HS256"):
                self.signing[jwk.kid] = SigningKey(jwk.kid, jwk.alg, loaded, frozenset(issuers))
            else:
                self.encrypting[jwk.kid] = cast("OctKey", loaded)


def _load(jwk: Jwk) -> ECKey | OctKey:
    parts = {name: value for name, value in to_builtins(jwk).items() if value and name != "use"}
    if jwk.alg == "ES256":
        if jwk.kty != "EC" or jwk.crv != "P-256":
            raise ValueError("not a P-256 key")
        key = ECKey.import_key(parts)
        key.public_key  # noqa: B018 - builds the point: one that is not on the curve is refused now
        return key
    if jwk.kty != "oct":
        raise ValueError("not a shared secret")
    length = len(jwk.k) * 6 // 8
    if length < HS256_BYTES_MIN if jwk.alg == "HS256" else length != _ENCRYPTION_BYTES[jwk.alg]:
        raise ValueError("wrong length")
    return OctKey.import_key(parts)
