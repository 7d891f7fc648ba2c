"""Settings of signed URLs at the appliance. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from oca.common.jwk import PathElement
from oca.common.settings_schema import Table
from oca.common.signed_url import PACKAGE_ATTRIBUTE, PATH_ELEMENT

Mount = Annotated[
    str,
    Meta(
        pattern=r"\A(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+\Z",
        max_length=480,
        extra={"form": "a URL path as it is served, without a slash at its end"},
    ),
]
Name = Annotated[str, Meta(min_length=1, max_length=200)]


class AuthorisationTable(Table, frozen=True):
    """Signed URLs (RFC 9246): whether viewers and peers must show a token, and which tokens are good."""

    mode: Annotated[
        Literal["steering", "off", "required", "by-mount"],
        Meta(
            description="Who needs a token: steering: as steering says, nobody where it does not sign or is not there; "
            "off: nobody; required: everybody; by-mount: whoever asks for something under mounts."
        ),
    ] = "steering"
    mounts: Annotated[
        tuple[Mount, ...],
        Meta(max_length=1000, description='With mode = "by-mount": URL paths under which a token is needed.'),
    ] = ()
    keys_file: Annotated[
        str,
        Meta(
            description="File with keys of your own (a JWK set), besides those that steering hands out; read again "
            "when it changes. Give it mode 0600. Empty: none."
        ),
    ] = ""
    issuers: Annotated[
        tuple[Name, ...],
        Meta(max_length=64, description="Whom the keys in keys_file may speak for (iss); empty: anyone."),
    ] = ()
    audience: Annotated[
        tuple[Name, ...],
        Meta(max_length=64, description="Names this box goes by in a token's aud, besides its appliance.id."),
    ] = ()
    path_element: Annotated[
        PathElement,
        Meta(
            description="Element of the path that a token follows, as in /t/TOKEN/rest; with keys of steering, the one "
            "that steering names counts."
        ),
    ] = PATH_ELEMENT
    package_attribute: Annotated[
        PathElement, Meta(description="Name of the path or query parameter that may hold a token instead.")
    ] = PACKAGE_ATTRIBUTE
    clock_leeway_s: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="How far this clock may be from the signer's; RFC 9246 allows none: better keep it in time.",
            extra={"unit": "seconds"},
        ),
    ] = 0.0
    checks_per_s_max: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Signatures checked per worker: each some 40 µs (HS256) or 150 µs (ES256). Tokens not yet "
            "known beyond that get 429; known ones cost nothing.",
            extra={"unit": "tokens per second"},
        ),
    ] = 400
    debug_header: Annotated[
        bool, Meta(description="Say why in a Cache-Status header of each refusal; metrics tell it always.")
    ] = False

    def __post_init__(self) -> None:
        """Refuse to guard nothing; the remedy follows the last semicolon."""
        if self.mode == "by-mount" and not self.mounts:
            raise ValueError("mode by-mount names no mounts, so that nobody would need a token; set mounts")
