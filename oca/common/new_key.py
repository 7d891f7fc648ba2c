"""The one place where keys and secrets are made. The libraries for keys are loaded when one is: salts need none."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Literal

from msgspec import convert

from oca.common.jwk import Jwk

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Algorithm = Literal["ES256", "HS256", "A128GCM"]
_BITS = {"HS256": 256, "A128GCM": 128}


def new_key(algorithm: Algorithm) -> Jwk:
    """A key of signed URLs, private half included, under an id of its own."""
    from joserfc.jwk import ECKey, OctKey  # noqa: PLC0415

    key = ECKey.generate_key("P-256") if algorithm == "ES256" else OctKey.generate_key(_BITS[algorithm])
    named = {"kid": secrets.token_hex(4), "alg": algorithm, "use": "enc" if algorithm == "A128GCM" else "sig"}
    return convert({**key.as_dict(private=True), **named}, Jwk)


def new_pair() -> Ed25519PrivateKey:
    """The key of a box."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    return Ed25519PrivateKey.generate()


def new_secret() -> str:
    """256 bits that nobody guesses, as 43 characters of base64url."""
    return secrets.token_urlsafe(32)


def new_salt(count: int) -> bytes:
    """So many bytes that nobody guesses, for a hash."""
    return secrets.token_bytes(count)
