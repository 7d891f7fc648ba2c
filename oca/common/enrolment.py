"""What a box and steering say to each other to make the box's key known. Only the messages."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from oca.common.messages import Message, Name

MESSAGE_BYTES_MAX = 4096
PublicKey = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{43}\Z")]
"""32 bytes of Ed25519 in base64url without padding, as ``x`` of a JWK (RFC 8037 §2)."""
Signature = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{86}\Z")]
EnrolToken = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z0-9-]{1,63}\.[A-Za-z0-9_-]{43}\Z",
        extra={"form": "an appliance's id, a dot and 43 letters, digits, - or _"},
    ),
]


class EnrolRequest(Message, frozen=True):
    """``POST /v1/appliances/{id}/enrol``, signed with the key that it brings."""

    token: EnrolToken
    key: PublicKey

    def __repr__(self) -> str:
        return f"EnrolRequest({self.key})"


class RenewRequest(Message, frozen=True):
    """``POST /v1/appliances/{id}/renew``, signed with the present key; ``proof`` is the new key's, of ``renewal``."""

    key: PublicKey
    proof: Signature


class Enrolled(Message, frozen=True):
    """The answer to both: as whom the key speaks, and its id."""

    appliance: Name
    site: Name
    keyid: Annotated[str, Meta(max_length=64)]


def renewal(appliance: str, old_keyid: str, key: str) -> str:
    """The words with which the owner of the new key says that it is to follow the old one."""
    return f"oca renewal of {appliance}: {key} follows {old_keyid}"
