"""What ``steering.toml`` may say about signed URLs."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from oca.common.jwk import PathElement
from oca.common.settings import Table
from oca.common.signed_url import PATH_ELEMENT


class SigningTable(Table, frozen=True):
    """Signed URLs (RFC 9246): what players and fill agents are sent to carries a token; appliances get the keys."""

    mode: Annotated[
        Literal["off", "optional", "required"],
        Meta(
            description="off: nothing is signed. optional: URLs are signed, appliances serve without a token too; for "
            "the day on which signing is begun or ended. required: appliances refuse whoever shows no good token."
        ),
    ] = "off"
    algorithm: Annotated[
        Literal["ES256", "HS256"],
        Meta(
            description="ES256: appliances get public keys, with which nobody can sign. HS256: they get what signs; "
            "cheaper to check, and every appliance is trusted with it."
        ),
    ] = "ES256"
    token_lifetime_s: Annotated[
        float,
        Meta(
            ge=1,
            le=30 * 86400,
            description="How long a token is good: the longest film with its pauses, and the longest fill of an asset. "
            "Tokens are shared by viewers of a title for up to 300 s, and live that much longer.",
            extra={"unit": "seconds"},
        ),
    ] = 12 * 3600.0
    key_lifetime_s: Annotated[
        float,
        Meta(
            ge=1,
            le=3650 * 86400,
            description="How long a key signs before the next one takes over; it is good until its last token ends.",
            extra={"unit": "seconds"},
        ),
    ] = 7 * 86400.0
    bind_client: Annotated[
        Literal["off", "prefix"],
        Meta(
            description="prefix: a viewer's token is good from his network alone (cdniip), so that a URL passed on is "
            "worth nothing elsewhere. off: from anywhere. A viewer who asks by IPv6 and fetches by IPv4, or by another "
            "access network, is refused under prefix."
        ),
    ] = "off"
    bind_prefix_v4: Annotated[
        int,
        Meta(ge=8, le=32, description="Length of the network that a token is bound to, IPv4.", extra={"unit": "bits"}),
    ] = 24
    bind_prefix_v6: Annotated[
        int,
        Meta(
            ge=16, le=128, description="Length of the network that a token is bound to, IPv6.", extra={"unit": "bits"}
        ),
    ] = 48
    issuer: Annotated[str, Meta(min_length=1, max_length=200, description="Who signs, as told in tokens (iss).")] = (
        "oca-steering"
    )
    path_element: Annotated[
        PathElement,
        Meta(description="Element of the path that the token follows; no title may be mounted under it."),
    ] = PATH_ELEMENT
