"""Signed requests between our own services: HTTP Message Signatures (RFC 9421) in one fixed form. Pure.

What is signed, in this order, and nothing else is taken: method, path, query, the body's digest (RFC 9530) where there
is a body; with the time, a nonce and the id of the key, which is its thumbprint (RFC 7638). ``@path`` is the path of
the service's own API: a reverse proxy may put another in front of it. Keys are Ed25519 (RFC 8032).
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

DIGEST_HEADER = "Content-Digest"
INPUT_HEADER = "Signature-Input"
SIGNATURE_HEADER = "Signature"
_BARE = '"@method" "@path" "@query"'
_WITH_BODY = f'{_BARE} "content-digest"'
_INPUT = re.compile(
    r'oca=(\((?:"@method" "@path" "@query"(?P<body> "content-digest")?)\);created=(?P<created>[1-9][0-9]{0,11})'
    r';nonce="(?P<nonce>[0-9a-f]{1,32})";keyid="(?P<keyid>[A-Za-z0-9_-]{43})";alg="ed25519")'
)
_SIGNATURE = re.compile(r"oca=:([A-Za-z0-9+/]{86}==):")
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")


class Shown(NamedTuple):
    """A signature as a request carries it; nothing of it is proven yet."""

    created_s: int
    nonce: str
    keyid: str
    body: bool
    parameters: str
    signature: bytes


def thumbprint(x: str) -> str:
    """RFC 7638 §3 of the public key ``x``: 43 characters."""
    return _text(sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest())


def public_text(private: Ed25519PrivateKey) -> str:
    """The public half as ``enrolment.PublicKey``."""
    return _text(private.public_key().public_bytes_raw())


def private_text(private: Ed25519PrivateKey) -> str:
    """The private half, 43 characters of base64url: a secret."""
    return _text(private.private_bytes_raw())


def read_private(text: str) -> Ed25519PrivateKey:
    """The other way round.

    Raises:
        ValueError: It is no key.
    """
    return Ed25519PrivateKey.from_private_bytes(_bytes(text))


def read_public(x: str) -> Ed25519PublicKey:
    """A ``enrolment.PublicKey`` made ready to verify.

    Raises:
        ValueError: It is no key.
    """
    return Ed25519PublicKey.from_public_bytes(_bytes(x))


def content_digest(body: bytes | bytearray) -> str:
    """The value of Content-Digest (RFC 9530 §2)."""
    return f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"


def digest_fault(header: str, body: bytes | bytearray) -> str:
    """Why ``body`` is not what a Content-Digest says, or an empty string."""
    if not _DIGEST.fullmatch(header):
        return "Content-Digest is not one sha-256 digest"
    return "" if header == content_digest(body) else "The body is not the one that Content-Digest names"


def sign(
    private: Ed25519PrivateKey, method: str, path: str, *, query: str = "", body: bytes, created_s: int, nonce: str
) -> dict[str, str]:
    """The headers that sign a request.

    Args:
        private: Whose key.
        method: As sent.
        path: Of the API, percent-encoded as sent.
        query: As sent, without its question mark.
        body: As sent; empty: none.
        created_s: Wall clock, seconds since 1970.
        nonce: Hexadecimal, no two requests of this key within minutes of each other the same; no secret.
    """
    digest = content_digest(body) if body else ""
    keyid = thumbprint(public_text(private))
    covered = _WITH_BODY if body else _BARE
    parameters = f'({covered});created={created_s};nonce="{nonce}";keyid="{keyid}";alg="ed25519"'
    signature = private.sign(_base(parameters, method, path, query, digest))
    headers = {INPUT_HEADER: f"oca={parameters}", SIGNATURE_HEADER: f"oca=:{b64encode(signature).decode()}:"}
    return headers | ({DIGEST_HEADER: digest} if digest else {})


def read_signature(headers: Mapping[str, str]) -> Shown | None:
    """The signature that ``headers`` show, or None if there is none in our form."""
    found = _INPUT.fullmatch(headers.get(INPUT_HEADER, ""))
    value = _SIGNATURE.fullmatch(headers.get(SIGNATURE_HEADER, ""))
    if found is None or value is None:
        return None
    return Shown(
        created_s=int(found["created"]),
        nonce=found["nonce"],
        keyid=found["keyid"],
        body=found["body"] is not None,
        parameters=found[1],
        signature=b64decode(value[1]),
    )


def verifies(shown: Shown, public: Ed25519PublicKey, method: str, path: str, *, query: str, digest: str) -> bool:
    """Whether the key's owner signed this request; ``digest`` is its Content-Digest, empty without a body."""
    if shown.body != bool(digest):
        return False
    try:
        public.verify(shown.signature, _base(shown.parameters, method, path, query, digest))
    except InvalidSignature:
        return False
    return True


def sign_text(private: Ed25519PrivateKey, text: str) -> str:
    """A ``enrolment.Signature`` of words that both sides can put together."""
    return _text(private.sign(text.encode()))


def verifies_text(public: Ed25519PublicKey, signature: str, text: str) -> bool:
    """Whether the key's owner signed ``text``."""
    try:
        public.verify(_bytes(signature), text.encode())
    except InvalidSignature:
        return False
    return True


def _base(parameters: str, method: str, path: str, query: str, digest: str) -> bytes:
    """RFC 9421 §2.5: what is signed. An empty query is a lone question mark (§2.2.7)."""
    lines = [f'"@method": {method}', f'"@path": {path}', f'"@query": ?{query}']
    lines += [f'"content-digest": {digest}'] if digest else []
    return "\n".join([*lines, f'"@signature-params": {parameters}']).encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
