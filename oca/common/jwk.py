"""Keys of signed URLs as JSON Web Keys (RFC 7517), and what steering tells an appliance about them.

Only their form; what is done with them is in ``keyring`` and ``signing``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

KeyId = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9._~-]{1,64}\Z")]
Secret = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{0,344}\Z")]
"""Base64url without padding (RFC 7515 §2)."""
PathElement = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9_~-]{1,32}\Z",
        extra={"form": "one path element of letters, digits and the characters _ ~ -, 32 at most"},
    ),
]
Enforcement = Literal["off", "optional", "required"]
KEYS_MAX = 64


class Jwk(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One key: ``EC`` for ES256 (``d`` where it signs), ``oct`` for HS256 and for encrypted claims (A128GCM, A256GCM).

    ``repr`` names the key and shows nothing of it.
    """

    kty: Literal["EC", "oct"]
    kid: KeyId
    alg: Literal["ES256", "HS256", "A128GCM", "A256GCM"]
    use: Literal["", "sig", "enc"] = ""
    crv: Literal["", "P-256"] = ""
    x: Secret = ""
    y: Secret = ""
    d: Secret = ""
    k: Secret = ""

    def __repr__(self) -> str:
        return f"Jwk({self.kid}, {self.alg})"

    @property
    def signs(self) -> bool:
        """Whether it is for signatures, not for encrypted claims."""
        return self.alg in ("ES256", "HS256")

    def public(self) -> Jwk:
        """What whoever verifies needs: without the private half of a pair; a shared secret stays what it is."""
        return Jwk(kty=self.kty, kid=self.kid, alg=self.alg, use=self.use, crv=self.crv, x=self.x, y=self.y, k=self.k)


class JwkSet(Struct, frozen=True):
    """A JWK set (RFC 7517 §5)."""

    keys: Annotated[list[Jwk], Meta(max_length=KEYS_MAX)]


class SigningPolicy(Struct, frozen=True, kw_only=True):
    """What an appliance is to ask of viewers, and the keys to check it with; ``revision`` names this state of it."""

    revision: Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
    enforce: Enforcement
    issuer: Annotated[str, Meta(max_length=200)]
    path_element: PathElement
    keys: Annotated[list[Jwk], Meta(max_length=KEYS_MAX)]
