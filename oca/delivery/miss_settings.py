"""Settings of what a request gets that is not served from the store: misses, and viewers who are turned away."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from oca.common.settings_schema import Table

OptionalUrl = Annotated[
    str,
    Meta(
        pattern=r"\A(https?://[A-Za-z0-9.:\[\]_-]{1,253}(/[A-Za-z0-9._~/-]{0,200})?)?\Z",
        extra={"form": "empty, or http:// or https://, a host, its port if need be, and a path if need be"},
    ),
]
Policy = Literal["not-found", "redirect"]
Turn = Literal["not-found", "too-many", "redirect"]
"""What a viewer is answered who is turned away: 404, 429 with Retry-After, or a redirect to the fallback."""


class MissTable(Table, frozen=True):
    """What a request for an object gets that the box does not hold, or cannot read now."""

    policy: Annotated[
        Policy,
        Meta(
            description="What they get: not-found (404; players take their next URL at once) or redirect (to "
            "fallback_url).",
        ),
    ] = "not-found"
    fallback_url: Annotated[
        OptionalUrl,
        Meta(
            description="Where viewers are redirected to: this, then the path and query they asked for. The origin, "
            "another CDN, or steering's own http://steering.example/r, which goes on to the best box that has it."
        ),
    ] = ""
    redirect_status: Annotated[
        Literal[302, 307], Meta(description="Status of a redirect; players take either the same way.")
    ] = 302
    redirect_marker: Annotated[
        str,
        Meta(
            pattern=r"\A[A-Za-z0-9_-]{0,40}\Z",
            description="Put into the query of a redirect; a request that carries it is never redirected again, so "
            "that two boxes cannot send a viewer to and fro. Empty: none, where the fallback's signed URLs allow no "
            "more in their query.",
            extra={"form": "letters, digits, _ and -"},
        ),
    ] = "oca-redirected"
    debug: Annotated[bool, Meta(description="Say in the Cache-Status of a miss why it is one (RFC 9211, detail).")] = (
        False
    )

    def __post_init__(self) -> None:
        """Refuse a policy without its address; the remedy follows the last semicolon."""
        if self.policy == "redirect" and not self.fallback_url:
            raise ValueError("policy redirect has nowhere to redirect to; set fallback_url")


class OverloadTable(Table, frozen=True):
    """When the box turns new viewers away for those it has; a connection that was answered once goes on."""

    sends_max: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000_000,
            description="Responses on their way on the whole box, above which new viewers are turned away; 0: any "
            "number.",
            extra={"unit": "responses"},
        ),
    ] = 0
    rate_bytes_per_s_max: Annotated[
        int,
        Meta(
            ge=0,
            le=2**40,
            description="Bytes a second that the box sends, above which new viewers are turned away: some nine tenths "
            "of the link; 0: any rate.",
            extra={"unit": "bytes per second"},
        ),
    ] = 0
    answer: Annotated[
        Turn,
        Meta(
            description="What they get: too-many (429; players go to their next URL in 0.02 s, dash.js in 3 s), "
            "redirect (to [delivery.miss] fallback_url) or not-found (404)."
        ),
    ] = "too-many"
    retry_after_s: Annotated[
        int, Meta(ge=1, le=3600, description="Retry-After of a 429.", extra={"unit": "seconds"})
    ] = 5
